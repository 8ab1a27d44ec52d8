/**
 * What the page knows about being cut off. Written by the transport and the live stream, read by the banner and by
 * everything that waits to try again.
 *
 * ```text
 *   ok ──(an attempt stays silent 1.2 s, or fails)──▶ out ──(an answer from NodePanel within 1.2 s)──▶ ok
 * ```
 *
 * Knows nothing of requests: it only collects reports. A sign of life wakes all who sleep, so that the page resumes as
 * one when NodePanel is back. While it is away one probe asks for everybody (`probe.ts`): a browser opens only six
 * connections to one place, and in an outage whoever waits on one takes it from the others.
 */
import { Cell } from './cell';
import type { OutageCause } from './verdict';

export type Outage =
  | { is: 'ok'; lastOutage: { since: number; until: number } | null }
  | { is: 'out'; since: number; cause: OutageCause; tries: number };

/** After this long without an answer the page says that it waits; an answer that took longer is no sign of health. */
export const SILENCE_MS = 1_200;
/**
 * How long what an answer told is truer than that another question got none: from far away, or on a busy device, the quick
 * questions go unanswered while the patient ones do not.
 */
const KNOWN_MS: Partial<Record<OutageCause['kind'], number>> = { slow: 60_000, foreign: 10_000 };

export class OutageWatch {
  readonly state = new Cell<Outage>({ is: 'ok', lastOutage: null });
  readonly #waiting = new Set<() => void>();
  /** Those of `sleep`, who also wake for an answer that came late. */
  readonly #asleep = new Set<() => void>();
  readonly #now: () => number;
  #lastSign = -Infinity;
  /** When the cause of the present outage was last told. */
  #toldAt = -Infinity;

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
    for (const wake of [...this.#waiting]) wake();
  }

  /**
   * NodePanel answered, `tookMs` after it was asked. If that was slow the outage goes on, but whoever sleeps tries now: there
   * is somebody to try.
   */
  answered(tookMs: number): void {
    if (tookMs <= SILENCE_MS) {
      this.signOfLife();
      return;
    }
    if (this.state.get().is !== 'out') return;
    this.report({ kind: 'slow', tookMs });
    for (const wake of [...this.#asleep]) wake();
  }

  /** An attempt failed, or has been silent for too long. */
  report(cause: OutageCause): void {
    const state = this.state.get();
    const now = this.#now();
    if (state.is === 'ok') {
      this.#toldAt = now;
      this.state.set({ is: 'out', since: now, cause, tries: 1 });
      return;
    }
    const knownMs = KNOWN_MS[state.cause.kind] ?? 0;
    const saysMore = cause.kind === 'silent' && now - this.#toldAt < knownMs;
    if (!saysMore) this.#toldAt = now;
    this.state.set({ ...state, cause: saysMore ? state.cause : cause, tries: state.tries + 1 });
  }

  /** Calls `run` when an outage ends. Returns what calls that off. */
  onBack(run: () => void): () => void {
    this.#waiting.add(run);
    return () => this.#waiting.delete(run);
  }

  /**
   * Waits for the time given, for the next sign of life after an outage, or for an answer that came late, whichever is first.
   * Resolves with whether the time was cut short. `deaf` waits for the time only.
   */
  sleep(ms: number, signal?: AbortSignal, deaf = false): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(woken);
        this.#asleep.delete(woken);
        signal?.removeEventListener('abort', aborted);
      };
      const woken = (): void => {
        end();
        resolve(true);
      };
      const aborted = (): void => {
        end();
        reject(abortReason(signal));
      };
      const timer = setTimeout(() => {
        end();
        resolve(false);
      }, ms);
      if (!deaf) {
        this.#waiting.add(woken);
        this.#asleep.add(woken);
      }
      if (signal?.aborted) aborted();
      else signal?.addEventListener('abort', aborted, { once: true });
    });
  }
}

export function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new DOMException('The caller no longer wants the answer.', 'AbortError');
}
