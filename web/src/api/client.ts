/**
 * The page's one connection to the API: the transport, what it knows of outages, and the end of the session. Calls are
 * in `endpoints.ts`.
 */
import { Cell } from './cell';
import { OutageWatch } from './outage';
import { Transport, type Progress, type SendOptions } from './transport';

export const outage = new OutageWatch();

/** Set when NodePanel says that the session is over; cleared by signing in. */
export const sessionEnded = new Cell(false);

export const transport = new Transport({
  fetch: (request) => fetch(request),
  outage,
  onSessionEnded: () => sessionEnded.set(true),
});

export type Query = Record<string, string | number | null | undefined>;

export interface WriteOptions {
  /** Made when the person acts; every repetition of the same act carries it. */
  key?: string;
  onProgress?: (progress: Progress) => void;
  patienceMs?: number;
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal, options?: SendOptions): Promise<T> {
  const response = await transport.send(new Request(address(path, query), signal ? { signal } : {}), options);
  return (await response.json()) as T;
}

export async function write<T = void>(
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
  { key = newKey(), ...options }: WriteOptions = {},
): Promise<T> {
  const headers: Record<string, string> = { 'Idempotency-Key': key };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const request = new Request(address(path), {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await (await transport.send(request, options)).text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** A new idempotency key. `crypto.randomUUID` is missing on plain http, where people first try a panel. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function address(path: string, query: Query = {}): string {
  const url = new URL(`/api/v1${path}`, window.location.origin);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') url.searchParams.set(name, String(value));
  }
  return url.toString();
}
