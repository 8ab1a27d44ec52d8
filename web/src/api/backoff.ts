/** Waiting between tries: exponential, capped, with jitter so that a thousand pages do not come back as one. */

const FIRST_MS = 250;
const FACTOR = 1.7;
export const LAST_MS = 5_000;
/** How much longer than asked for a page waits at most. */
const SPREAD = 0.25;
const MOST_SPREAD_MS = 1_000;

/** Milliseconds before try `attempt + 1`; `attempt` counts from 1. `random` is in [0, 1). */
export function delayMs(attempt: number, random: number): number {
  const full = Math.min(LAST_MS, FIRST_MS * FACTOR ** Math.max(0, attempt - 1));
  return Math.round(full * (0.5 + random / 2));
}

/** Milliseconds to wait when NodePanel asked for `afterMs`: never less, and not all pages at the same time. */
export function askedDelayMs(afterMs: number, random: number): number {
  return Math.round(afterMs + random * Math.min(MOST_SPREAD_MS, afterMs * SPREAD));
}
