/** A text as a QR code: drawn as a picture of paths, dark on light whatever the appearance, for cameras want it so. */
import { lazily } from '../lazily.ts';
import { useLoaded } from '../loading.ts';
import { Show } from './notices.tsx';

/** Modules around the code that stay empty (ISO/IEC 18004, section 9.1). */
const quietZone = 4;

export function QrCode({ text, label }: { readonly text: string; readonly label: string }) {
  const loaded = useLoaded(text, 0, async () => {
    const { encode } = await lazily(() => import('uqr'));
    return encode(text, { ecc: 'M', border: quietZone });
  });
  return (
    <Show of={loaded} lines={6}>
      {({ data, size }) => (
        <svg
          class="qr"
          viewBox={`0 0 ${size} ${size}`}
          role="img"
          aria-label={label}
          shape-rendering="crispEdges"
        >
          <rect width={size} height={size} fill="#fff" />
          <path d={pathOf(data)} fill="#000" />
        </svg>
      )}
    </Show>
  );
}

/** A square for each dark module. */
const pathOf = (rows: readonly (readonly boolean[])[]): string =>
  rows.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join('');
