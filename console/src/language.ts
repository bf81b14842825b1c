/** The reader's language: theirs by the browser until they choose, then what they chose. */
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { en, type Words } from './words/en.ts';
import { ru } from './words/ru.ts';

export type Language = 'en' | 'ru';

const allWords: Readonly<Record<Language, Words>> = { en, ru };
const storedAs = 'aftersend-language';

export interface Speech {
  readonly language: Language;
  readonly words: Words;
  readonly setLanguage: (language: Language) => void;
}

export function firstLanguage(): Language {
  const stored = localStorage.getItem(storedAs);
  if (stored === 'en' || stored === 'ru') return stored;
  return navigator.languages.some((name) => /^(ru|be|uk|kk)\b/.test(name)) ? 'ru' : 'en';
}

export function rememberLanguage(language: Language): void {
  localStorage.setItem(storedAs, language);
}

export const wordsOf = (language: Language): Words => allWords[language];

export const SpeechContext = createContext<Speech>({ language: 'en', words: en, setLanguage: () => {} });

export const useSpeech = (): Speech => useContext(SpeechContext);
export const useWords = (): Words => useContext(SpeechContext).words;
