/** Who is logged in: the token of this tab, and what it says of its holder. */
import { computed, signal } from '@preact/signals';

export type Role = 'viewer' | 'operator' | 'admin';

export interface Holder {
  subject: string;
  role: Role;
  departments: string[] | null; // null: all of them
  expiresAtMs: number;
}

const KEY = 'token';
const RANK: Record<Role, number> = { viewer: 0, operator: 1, admin: 2 };

/** The token; `null`: nobody is logged in. */
export const token = signal<string | null>(fromAddress() ?? stored());
/** Why the last session ended: the server's own words; empty: it did not end by itself. */
export const endedBecause = signal('');
export const holder = computed<Holder | null>(() => (token.value === null ? null : read(token.value)));

export function logIn(next: string): void {
  endedBecause.value = '';
  keep(next.trim().replace(/^bearer\s+/i, ''));
}

/** Whether a text that somebody pasted can be a token: a mistake is told before anything is sent. */
export function looksLikeToken(text: string): boolean {
  return read(text.trim().replace(/^bearer\s+/i, '')) !== null;
}

/** Go on with a newer token of the same person. */
export function renewed(next: string): void {
  keep(next);
}

export function logOut(because = ''): void {
  endedBecause.value = because;
  keep(null);
}

/** Whether the person may do what takes this role. `department`: of what it concerns; `null`: all at once. */
export function may(role: Role, department?: string | null): boolean {
  const who = holder.value;
  if (who === null || RANK[who.role] < RANK[role]) return false;
  if (department === undefined) return true;
  return who.departments === null || (department !== null && who.departments.includes(department));
}

/** Whether the person administers the whole appliance. */
export const isAdministrator = computed(() => may('admin', null));

function keep(next: string | null): void {
  token.value = next;
  try {
    if (next === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, next);
  } catch {
    // storage is forbidden: the token lives as long as this page
  }
}

function stored(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** A kiosk brings its token in the fragment, which no server sees; it is taken once, and leaves the address. */
function fromAddress(): string | null {
  const found = new URLSearchParams(location.hash.slice(1)).get('token');
  if (found === null) return null;
  history.replaceState(null, '', location.pathname + location.search);
  try {
    sessionStorage.setItem(KEY, found);
  } catch {
    // as above
  }
  return found;
}

/** What the token says; the signature is the server's business. `null`: it is no token. */
function read(text: string): Holder | null {
  try {
    const part = (text.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/');
    const bytes = Uint8Array.from(atob(part), (one) => one.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const departments = claims.departments;
    return {
      subject: String(claims.sub ?? ''),
      role: claims.role === 'admin' || claims.role === 'operator' ? claims.role : 'viewer',
      departments: Array.isArray(departments) && !departments.includes('*') ? departments.map(String) : null,
      expiresAtMs: Number(claims.exp) * 1000,
    };
  } catch {
    return null;
  }
}
