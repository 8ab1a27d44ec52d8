/**
 * The page's one connection to the API: the transport, what it knows of outages, and the end of the session. Calls are
 * in `endpoints.ts`.
 */
import createClient from 'openapi-fetch';

import { Cell } from './cell';
import { newKey } from './idempotency';
import { OutageWatch } from './outage';
import { Probe } from './probe';
import type { paths } from './schema';
import { Transport, type SendOptions } from './transport';
import type { Answered } from './types';

export const outage = new OutageWatch();

/** Set when NodePanel says that the session is over; cleared by signing in. */
export const sessionEnded = new Cell(false);

export const transport = new Transport({
  fetch: (request) => fetch(request),
  outage,
  onSessionEnded: () => sessionEnded.set(true),
});

/** Who is signed in is known without asking any disk or node, and costs next to nothing. */
export const probe = new Probe({
  ask: (signal) => fetch('/api/v1/session', { signal, cache: 'no-store', redirect: 'manual' }),
  outage,
});

window.addEventListener('online', () => probe.hurry());
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) probe.hurry();
});

export interface WriteOptions extends SendOptions {
  /** Made when the person acts; every repetition of the same act carries it. */
  key?: string;
}

const client = createClient<paths>({ baseUrl: window.location.origin });

/** The client made from the OpenAPI document. Every call carries its part of `reading` or `writing`. */
export const { GET, POST, PUT, PATCH, DELETE } = client;

/** How a read travels. */
export function reading(signal?: AbortSignal, options?: SendOptions) {
  return { ...(signal ? { signal } : {}), fetch: (request: Request) => transport.send(request, options) };
}

/** How a write travels: under a key, so that it can be repeated. */
export function writing({ key = newKey(), ...options }: WriteOptions = {}) {
  return { headers: { 'Idempotency-Key': key }, fetch: (request: Request) => transport.send(request, options) };
}

/** The body of an answer. Refusals do not come this far: the transport throws them. */
export async function answered<T>(call: Promise<{ data?: T }>): Promise<Answered<T>> {
  return (await call).data as Answered<T>;
}
