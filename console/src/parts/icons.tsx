/** The console's pictures: one line width, drawn for this, each told apart by its name. */

const paths = {
  overview: 'M4 20V10M10 20V4M16 20v-7M22 20H2',
  messages: 'M3 6h18v12H3zM3 7l9 6 9-6',
  webhooks: 'M8 9a4 4 0 1 1 5 3.9L10 18M6 14a4 4 0 1 0 4 4h7M16 14a4 4 0 1 1-1 7',
  templates: 'M5 3h14v18H5zM8 8h8M8 12h8M8 16h5',
  domains: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18',
  suppressions: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM5.6 5.6l12.8 12.8',
  settings: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 4.5v5M8 14.5v5',
  users:
    'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-4 3-6 7-6s7 2 7 6M16 4a4 4 0 0 1 0 7M18 15c2.500.6 4 2.600 4 6',
  audit: 'M7 3h10v4H7zM5 5v16h14V5M9 12h6M9 16h4',
  live: 'M3 12h4l3-8 4 16 3-8h4',
  steps: 'M5 3l14 9-14 9z',
  check: 'M4 12l5 5L20 6',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3 3',
  cross: 'M6 6l12 12M18 6L6 18',
  eye: 'M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  link: 'M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1',
  door: 'M14 3h5v18h-5M3 12h11M10 8l4 4-4 4',
  flag: 'M5 21V4h13l-3 4 3 4H5',
  inbox: 'M3 13l3-9h12l3 9v7H3zM3 13h5l2 3h4l2-3h5',
  profile: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4 3.500-6 8-6s8 2 8 6',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={paths[name]} />
    </svg>
  );
}
