/** Waiting between tries: exponential, capped, with jitter so that a thousand pages do not come back as one. */

const FIRST_MS = 250;
const FACTOR = 1.7;
const LAST_MS = 5_000;

/** Milliseconds before try `attempt + 1`; `attempt` counts from 1. `random` is in [0, 1). */
export function delayMs(attempt: number, random: number): number {
  const full = Math.min(LAST_MS, FIRST_MS * FACTOR ** Math.max(0, attempt - 1));
  return Math.round(full * (0.5 + random / 2));
}
