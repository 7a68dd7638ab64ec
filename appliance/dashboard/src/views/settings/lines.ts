/** A configuration as lines: which differ, and which hold a value that a form can show. */

export interface Difference {
  mark: '-' | '+';
  line: number; // in its own text, from 1
  text: string;
}

const MOST_COMPARED = 4000; // lines; beyond, all are shown as changed rather than compared for seconds

/** The differing lines, in order: the longest common subsequence stays. */
export function differences(before: string, after: string): Difference[] {
  const [one, other] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start++;
  let end = 0;
  while (end < one.length - start && end < other.length - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end++;
  const a = one.slice(start, one.length - end);
  const b = other.slice(start, other.length - end);
  const gone = (at: number): Difference => ({ mark: '-', line: start + at + 1, text: a[at]! });
  const come = (at: number): Difference => ({ mark: '+', line: start + at + 1, text: b[at]! });
  if (a.length + b.length > MOST_COMPARED) return [...a.map((_, at) => gone(at)), ...b.map((_, at) => come(at))];
  const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) for (let j = b.length - 1; j >= 0; j--) common[i]![j] = a[i] === b[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
  const found: Difference[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && common[i + 1]![j]! >= common[i]![j + 1]!)) found.push(gone(i++));
    else found.push(come(j++));
  }
  return found;
}

export interface Field {
  at: number; // the line, from 0
  section: string;
  key: string;
  value: string; // as it is written
  kind: 'text' | 'number' | 'boolean' | 'other';
}

const SECTION = /^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$/;
const PAIR = /^(\s*)([\w"'.-]+)(\s*=\s*)("(?:[^"\\]|\\.)*"|'[^']*'|true|false|[+-]?[\d._]+|[^#]*?)(\s*(?:#.*)?)$/;

/** The values that are written on one line each. What is written over several stays for the file. */
export function fields(text: string): Field[] {
  const found: Field[] = [];
  let section = '';
  let depth = 0; // of brackets that an earlier line opened
  const count: Record<string, number> = {};
  text.split('\n').forEach((line, at) => {
    const header = depth === 0 ? SECTION.exec(line) : null;
    if (header) {
      const name = header[1]!;
      count[name] = (count[name] ?? 0) + 1;
      section = line.trim().startsWith('[[') ? `${name} ${count[name]}` : name;
      return;
    }
    const pair = depth === 0 ? PAIR.exec(line) : null;
    const bare = line.replace(/"(?:[^"\\]|\\.)*"|'[^']*'/g, '').replace(/#.*$/, '');
    depth = Math.max(0, depth + (bare.match(/[[{]/g) ?? []).length - (bare.match(/[\]}]/g) ?? []).length);
    if (!pair) return;
    const value = pair[4]!;
    const kind = /^["']/.test(value) ? 'text' : /^(true|false)$/.test(value) ? 'boolean' : /^[+-]?[\d._]+$/.test(value) ? 'number' : 'other';
    found.push({ at, section, key: pair[2]!, value, kind });
  });
  return found;
}

/** The text with one value changed; the rest of the line, its comment too, stays. */
export function withValue(text: string, field: Field, value: string): string {
  const lines = text.split('\n');
  lines[field.at] = lines[field.at]!.replace(PAIR, (_, indent: string, key: string, equals: string, __: string, rest: string) => `${indent}${key}${equals}${value}${rest}`);
  return lines.join('\n');
}

/** The text of a quoted value, and back. */
export function unquoted(value: string): string {
  if (value.startsWith("'")) return value.slice(1, -1);
  try {
    return JSON.parse(value) as string;
  } catch {
    return value.slice(1, -1);
  }
}

export function quoted(text: string): string {
  return JSON.stringify(text);
}
