/** Recognises the answers that mail programs give by themselves (RFC 3834): somebody is away, and nothing bounced. Pure. */

/** In the languages that the large mail programs speak. */
const awaySubject =
  /^(?:(?:re|aw|sv|fwd?):\s*)*(?:auto(?:mated|matic|matische?)?[- ]?(?:reply|response|antwort|respons|svar)|auto(?:reply|-reply|response)?:|out of (?:the )?office|away\b|(?:on )?vacation\b|holiday\b|abwesen|r[ée]ponse automatique|absen(?:ce|t)\b|respuesta autom|resposta autom|risposta automatica|automatisch antwoord|автоматический ответ|автоответ|отсутств|自動応答|自動返信|自动回复)/i;

/** @param header a field of the mail, undefined if it has none of that name */
export function isAutoReply(header: (name: string) => string | undefined): boolean {
  const has = (name: string, pattern = /./) => pattern.test(header(name) ?? '');
  return (
    // RFC 3834 section 5. What is generated (a cron job's mail) answers nothing; a reply does.
    has('auto-submitted', /^auto-(?:replied|notified)\b/i) ||
    (has('auto-submitted', /^auto-generated\b/i) && has('in-reply-to')) ||
    has('x-autoreply') ||
    has('x-autorespond') ||
    has('x-auto-reply') ||
    has('x-autoreply-from') ||
    has('x-mail-autoreply') ||
    has('precedence', /^auto[_-]?reply\b/i) ||
    has('x-precedence', /^auto[_-]?reply\b/i) ||
    // It asks for no replies, which also mail that answers nothing may do: a request to leave, for one.
    (has('x-auto-response-suppress', /\b(?:all|autoreply|oof)\b/i) && has('in-reply-to')) ||
    has('delivered-to', /^autoresponder\b/i) ||
    awaySubject.test(header('subject') ?? '')
  );
}
