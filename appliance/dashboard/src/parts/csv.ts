/** A table as a file, made of the very rows that the table shows. */

/** A field by RFC 4180. A text that a spreadsheet would take for a formula is preceded by an apostrophe. */
function field(value: string | number | null | undefined): string {
  const text = value === null || value === undefined ? '' : String(value);
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

export function csv(head: readonly string[], rows: readonly (readonly (string | number | null | undefined)[])[]): string {
  return [head, ...rows].map((row) => row.map(field).join(',')).join('\r\n') + '\r\n';
}

const KEPT_MS = 60_000;

/** Give the person a table as a file. */
export function download(name: string, text: string): void {
  saveAs(name, new Blob(['\ufeff', text], { type: 'text/csv;charset=utf-8' })); // the mark is for spreadsheets
}

/** Give the person a file. */
export function saveAs(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), KEPT_MS); // a busy browser reads it only after the click
}
