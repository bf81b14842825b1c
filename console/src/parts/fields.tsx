/** Fields of forms: label, hint and fault belong to the control, for eyes and for screen readers. */
import { useId } from 'preact/hooks';
import { ApiError } from '../api.ts';

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly hint?: string | undefined;
  /** What is wrong with it, undefined if nothing is. */
  readonly fault?: string | undefined;
}

interface Passed {
  readonly type?: 'text' | 'email' | 'password' | 'url' | 'search' | 'date';
  readonly autocomplete?: string;
  readonly inputMode?: 'numeric';
  readonly required?: boolean;
  readonly placeholder?: string;
  readonly autofocus?: boolean;
  readonly minLength?: number;
  readonly maxLength?: number;
}

export function Field({ label, value, onValue, hint, fault, type = 'text', ...passed }: FieldProps & Passed) {
  const id = useId();
  // Preact's types tell kinds of inputs apart by what each may hold; here all hold text.
  const kind = { type } as { readonly type: 'text' };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        {...passed}
        {...kind}
        id={id}
        value={value}
        aria-invalid={fault !== undefined}
        aria-describedby={`${id}-more`}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
      <FieldNotes id={`${id}-more`} hint={hint} fault={fault} />
    </div>
  );
}

export function Area({
  label,
  value,
  onValue,
  hint,
  fault,
  rows = 8,
}: FieldProps & { readonly rows?: number }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea
        id={id}
        rows={rows}
        spellcheck={false}
        value={value}
        aria-invalid={fault !== undefined}
        aria-describedby={`${id}-more`}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
      <FieldNotes id={`${id}-more`} hint={hint} fault={fault} />
    </div>
  );
}

export function Select({
  label,
  value,
  onValue,
  hint,
  options,
}: Omit<FieldProps, 'fault'> & { readonly options: readonly (readonly [value: string, label: string])[] }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value}
        aria-describedby={`${id}-more`}
        onChange={(event) => onValue(event.currentTarget.value)}
      >
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
      <FieldNotes id={`${id}-more`} hint={hint} />
    </div>
  );
}

function FieldNotes(props: {
  readonly id: string;
  readonly hint: string | undefined;
  readonly fault?: string | undefined;
}) {
  if (props.fault === undefined && props.hint === undefined) return null;
  return (
    <span id={props.id} class={props.fault === undefined ? 'hint' : 'wrong'}>
      {props.fault ?? props.hint}
    </span>
  );
}

/** What the API says is wrong with one field. */
export const faultOf = (error: Error | undefined, field: string): string | undefined =>
  error instanceof ApiError && error.field === field ? error.message : undefined;
