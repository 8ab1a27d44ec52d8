/**
 * What the page knows about being cut off. Written by the transport and the live stream, read by the banner and by
 * everything that waits to try again.
 *
 * ```text
 *   ok ──(an attempt stays silent 1.2 s, or fails)──▶ out ──(any answer from NodePanel)──▶ ok
 * ```
 *
 * Knows nothing of requests: it only collects reports. A sign of life wakes all who sleep, so that the page resumes as
 * one when NodePanel is back.
 */
import { Cell } from './cell';
import type { OutageCause } from './verdict';

export type Outage =
  | { is: 'ok'; lastOutage: { since: number; until: number } | null }
  | { is: 'out'; since: number; cause: OutageCause; tries: number };

export class OutageWatch {
  readonly state = new Cell<Outage>({ is: 'ok', lastOutage: null });
  readonly #sleepers = new Set<() => void>();
  readonly #now: () => number;
  #lastSign = -Infinity;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** When NodePanel was last heard, in milliseconds since the epoch. */
  get lastSign(): number {
    return this.#lastSign;
  }

  /** NodePanel answered something, or its live stream beat. */
  signOfLife(): void {
    this.#lastSign = this.#now();
    const state = this.state.get();
    if (state.is === 'ok') return;
    this.state.set({ is: 'ok', lastOutage: { since: state.since, until: this.#lastSign } });
    for (const wake of [...this.#sleepers]) wake();
  }

  /** An attempt failed, or has been silent for too long. */
  report(cause: OutageCause): void {
    const state = this.state.get();
    if (state.is === 'out') this.state.set({ ...state, cause, tries: state.tries + 1 });
    else this.state.set({ is: 'out', since: this.#now(), cause, tries: 1 });
  }

  /** Waits for the time given, or for the next sign of life after an outage, whichever is first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(done);
        signal?.removeEventListener('abort', aborted);
        resolve();
      };
      const aborted = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(done);
        reject(abortReason(signal));
      };
      const timer = setTimeout(done, ms);
      this.#sleepers.add(done);
      if (signal?.aborted) aborted();
      else signal?.addEventListener('abort', aborted, { once: true });
    });
  }
}

export function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new DOMException('The caller no longer wants the answer.', 'AbortError');
}
