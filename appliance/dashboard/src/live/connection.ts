/** The connection to the appliance: events in, calls out. It reconnects for ever, with jitter. */
import { signal } from '@preact/signals';
import { io, type Socket } from 'socket.io-client';

import type { Calls, Events } from './contract';
import { holder, logOut, renewed, token } from './session';

const ANSWER_MS = 20_000; // an order of 5,000 blocks takes a second on a Pi; the server's own limit is below
const RENEW_EVERY_MS = 15_000; // how often the age of the token is looked at
const CLOSED_BY_SERVER = 'io server disconnect';
const ENDS = new Set(['E_UNAUTHORIZED', 'E_TOKEN_EXPIRED']); // errors that end the session
const AGAIN_MS = 2000; // socket.io-client does not try again by itself after these

/** `connecting`: never connected yet; `lost`: was connected, and tries again. */
export type Link = 'connecting' | 'live' | 'lost';

export const link = signal<Link>('connecting');
/** Counts connections: what was asked over the former one is asked again over the next. */
export const connections = signal(0);

/** What the server refused, in its own words. `code`: such as E_FORBIDDEN; the page's own are E_TIMEOUT and E_OFFLINE. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

type Acknowledgement = { success: true } | { success: false; error: string; code: string };

let socket: Socket | null = null;
let parting = ''; // why the server is about to close this connection, in its words
let since = 0;
const listeners = new Map<string, Set<(event: never) => void>>();
const greetings = new Set<() => void>();

/** Call `take` with each event of this name. */
export function on<Name extends keyof Events>(name: Name, take: (event: Events[Name]) => void): () => void {
  const known = listeners.get(name) ?? new Set();
  listeners.set(name, known.add(take as (event: never) => void));
  return () => known.delete(take as (event: never) => void);
}

/** Call `greet` at each connection, the first one included: what is asked once must be asked again. */
export function onConnect(greet: () => void): () => void {
  greetings.add(greet);
  if (link.peek() === 'live') greet();
  return () => greetings.delete(greet);
}

/** Connect with the session's token, until the session ends. */
export function connect(): void {
  if (socket !== null || token.value === null) return;
  link.value = 'connecting';
  socket = io({
    auth: (give) => give({ token: token.peek(), since }),
    transports: ['websocket', 'polling'],
    reconnectionDelay: 1000,
    reconnectionDelayMax: 30_000,
    randomizationFactor: 0.5,
  });
  socket.on('connect', () => {
    link.value = 'live';
    connections.value++;
    for (const greet of greetings) greet();
  });
  socket.on('disconnect', (reason) => {
    if (link.peek() === 'live') link.value = 'lost';
    if (reason !== CLOSED_BY_SERVER || socket === null) return;
    if (parting !== '') end(parting);
    else later(); // the service ends or restarts: the token still serves
  });
  socket.on('connect_error', (error: Error & { data?: { code?: string } }) => {
    const code = error.data?.code;
    if (code !== undefined && ENDS.has(code)) end(error.message);
    else if (socket !== null && !socket.active) later();
  });
  socket.onAny((name: string, event: { alertId?: number }) => {
    if (name === 'error') parting = ENDS.has((event as { code?: string }).code ?? '') ? String((event as { message?: string }).message) : parting;
    if (typeof event?.alertId === 'number' && event.alertId > since) since = event.alertId;
    for (const take of listeners.get(name) ?? []) take(event as never);
  });
}

function later(): void {
  setTimeout(() => socket?.connect(), AGAIN_MS * (1 + Math.random()));
}

/** End the connection; the token is given back to the server if `revoke`. */
export async function disconnect(revoke = false): Promise<void> {
  if (revoke && link.peek() === 'live') await call('token:revoke', {}).catch(() => undefined);
  end('');
}

function end(because: string): void {
  const old = socket;
  socket = null;
  since = 0;
  parting = '';
  old?.disconnect();
  logOut(because);
}

/** Ask the appliance; rejects with a `Refusal`. */
export async function call<Name extends keyof Calls>(
  name: Name,
  ...argument: undefined extends Calls[Name]['argument'] ? [Calls[Name]['argument']?] : [Calls[Name]['argument']]
): Promise<Calls[Name]['reply']> {
  if (socket === null || !socket.connected) throw new Refusal('E_OFFLINE', '');
  let answer: Acknowledgement;
  try {
    const sent = argument[0] === undefined ? [] : [argument[0]];
    answer = (await socket.timeout(ANSWER_MS).emitWithAck(name, ...sent)) as Acknowledgement;
  } catch {
    throw new Refusal('E_TIMEOUT', '');
  }
  if (!answer.success) throw new Refusal(answer.code, answer.error);
  return answer as unknown as Calls[Name]['reply'];
}

// At once when the tab becomes visible: a person looks.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && socket !== null && !socket.connected && socket.active) socket.disconnect().connect();
});

let renewsAtMs = 0;
let renewsOf = '';

/** Renew the token at two thirds of its life. It is looked at by the browser's monotonic clock: its own may be wrong. */
async function renewInTime(): Promise<void> {
  const now = performance.now();
  const held = token.peek();
  const who = holder.peek();
  if (held === null || who === null) return;
  if (held !== renewsOf) {
    renewsOf = held;
    renewsAtMs = now + (lifeMs(held) * 2) / 3;
  }
  if (now < renewsAtMs || link.peek() !== 'live') return;
  renewsAtMs = Infinity; // once; a token that is no login cannot be renewed
  try {
    const reply = await call('token:renew', {});
    if ('token' in reply && typeof reply.token === 'string') renewed(reply.token);
  } catch {
    // goes on with the old one until it ends; the server says then why
  }
}

function lifeMs(text: string): number {
  try {
    const claims = JSON.parse(atob((text.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/'))) as { iat?: number; exp?: number };
    return ((claims.exp ?? 0) - (claims.iat ?? 0)) * 1000;
  } catch {
    return Infinity;
  }
}

setInterval(() => void renewInTime(), RENEW_EVERY_MS);
