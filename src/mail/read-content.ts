/**
 * What is in a message, for somebody who looks at it: its headers as they stand, its text, its HTML with the pictures
 * that came along, the names of its attachments. Loads nothing, and makes nothing safe: HTML stays the stranger's.
 */
import PostalMime from 'postal-mime';

/** A picture that is larger is left out of the HTML: it would be there a third larger, as text. */
const maxInlineBytes = 2 ** 20;

export interface ReadContent {
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly text: string | undefined;
  readonly html: string | undefined;
  readonly attachments: readonly {
    readonly filename: string;
    readonly contentType: string;
    readonly sizeBytes: number;
  }[];
}

export async function readContent(raw: Uint8Array): Promise<ReadContent> {
  const mail = await PostalMime.parse(raw, { attachmentEncoding: 'arraybuffer' });
  let { html } = mail;
  const attachments = mail.attachments.map(({ filename, mimeType, content, contentId }) => {
    const bytes = Buffer.from(content as ArrayBuffer);
    const id = contentId?.replace(/^<|>$/g, '');
    if (html !== undefined && id && mimeType.startsWith('image/') && bytes.length <= maxInlineBytes) {
      const picture = `data:${mimeType};base64,${bytes.toString('base64')}`;
      html = html.replaceAll(`cid:${id}`, () => picture);
    }
    return { filename: filename ?? '', contentType: mimeType, sizeBytes: bytes.length };
  });
  return {
    headers: mail.headers.map(({ originalKey, key, value }) => ({ name: originalKey ?? key, value })),
    text: mail.text,
    html,
    attachments,
  };
}
