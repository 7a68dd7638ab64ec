/** The page's words: the chosen language's texts, and how values get into them. */
import type { ComponentChildren } from 'preact';

export type Language = 'en' | 'de';
export type Plural = { one: string; other: string };
export type Texts = { [key: string]: string | Plural | Texts };
type Same<T> = { [K in keyof T]: T[K] extends string ? string : T[K] extends Plural ? Plural : Same<T[K]> };
export type Values = Record<string, string | number>;

const KEY = 'language';

/** The language of this browser: the one chosen in the settings, else its own. A choice takes a reload. */
export const language: Language = chosen();

function chosen(): Language {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(KEY);
  } catch {
    // storage is forbidden: the browser's own language
  }
  return (kept ?? navigator.language).startsWith('de') ? 'de' : 'en';
}

export function choose(next: Language): void {
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // kept for this tab only by the address: there is nowhere else
  }
  location.reload();
}

/** The texts of one view, in both languages; returns those of this browser's. The compiler compares their keys. */
export function words<T extends Texts>(texts: { en: T; de: Same<T> }): T {
  return texts[language] as T;
}

const plurals = new Intl.PluralRules(language);

function form(text: string | Plural, values: Values | Parts): string {
  return typeof text === 'string' ? text : text[plurals.select(Number(values.count)) === 'one' ? 'one' : 'other'];
}

/** The text with its values: `{name}` is replaced by the value of that name. `count` chooses the form of a plural. */
export function say(text: string | Plural, values: Values = {}): string {
  return form(text, values).replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** As `say`; nothing where there is no text, or a value of it is missing. */
export function sayWhole(text: string | undefined, values: Values): string | undefined {
  const isWhole = text?.match(/\{\w+\}/g)?.every((name) => name.slice(1, -1) in values) ?? true;
  return text === undefined || !isWhole ? undefined : say(text, values);
}

export type Parts = Record<string, ComponentChildren>;

/** As `say`, for texts with elements in them: the parts in their order. */
export function parts(text: string | Plural, values: Parts): ComponentChildren[] {
  return form(text, values)
    .split(/(\{\w+\})/)
    .map((one) => (one.startsWith('{') ? (values[one.slice(1, -1)] ?? one) : one));
}

