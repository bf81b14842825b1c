/** Light or dark: as the system has it, until the reader says otherwise. */

export const themes = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const storedAs = 'aftersend-theme';

export function chosenTheme(): Theme {
  const stored = localStorage.getItem(storedAs);
  return themes.find((theme) => theme === stored) ?? 'auto';
}

export function setTheme(theme: Theme): void {
  localStorage.setItem(storedAs, theme);
  showTheme();
}

export function showTheme(): void {
  const theme = chosenTheme();
  if (theme === 'auto') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}
