/** Things to copy: code in blocks, secrets in a line. */
import { useState } from 'preact/hooks';
import { useWords } from '../language.ts';

const shownForMs = 1500;

export function CopyButton({ text, label }: { readonly text: string; readonly label?: string }) {
  const { actions } = useWords();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), shownForMs);
  };
  return (
    <button
      type="button"
      class="tiny"
      aria-label={copied ? actions.copied : `${actions.copy}${label === undefined ? '' : `: ${label}`}`}
      onClick={() => void copy()}
    >
      {copied ? actions.copied : actions.copy}
    </button>
  );
}

export function Code({ text, wrap = false }: { readonly text: string; readonly wrap?: boolean }) {
  return (
    <div class="code">
      <pre class={wrap ? 'wrap' : ''} tabIndex={0}>
        {text}
      </pre>
      <CopyButton text={text} />
    </div>
  );
}

export function Secret({ label, value }: { readonly label: string; readonly value: string }) {
  return (
    <div class="field">
      <span class="small soft">{label}</span>
      <div class="secret">
        <code>{value}</code>
        <CopyButton text={value} label={label} />
      </div>
    </div>
  );
}
