/**
 * Asks for the whole page whether NodePanel is there, while that is not known, so that everything resumes within a second
 * of its return and nobody else has to ask that often.
 *
 * ```text
 *   idle ──(outage, or `suspect`)──▶ asking ──(a quick answer)──▶ idle
 * ```
 *
 * Two questions are under way at most: a quick one, given up soon because a connection that died in the outage never
 * answers, and a patient one, which finds out that NodePanel answers slowly. Never ends a session: it only reports what it
 * hears to the `OutageWatch`.
 */
import type { OutageWatch } from './outage';
import { answerOf } from './transport';
import { judge, type Verdict } from './verdict';

export interface ProbeParts {
  /** Asks something cheap of the API. */
  ask: (signal: AbortSignal) => Promise<Response>;
  outage: OutageWatch;
  /** Nobody looks at the page. */
  hidden?: () => boolean;
  online?: () => boolean;
  now?: () => number;
  random?: () => number;
}

const QUICK_MS = 600;
const PATIENT_MS = 40_000;
/** From one quick question to the next, with jitter: often enough to be back within a second, and a cheap question. */
const PACE_MS = 450;
const PACE_JITTER_MS = 250;
/** The same while nobody looks. */
const HIDDEN_PACE_MS = 5_000;

export class Probe {
  readonly #parts: Required<ProbeParts>;
  #asking = false;
  #patient = false;
  #hurry: (() => void) | null = null;

  constructor(parts: ProbeParts) {
    this.#parts = {
      hidden: () => typeof document !== 'undefined' && document.hidden,
      online: () => typeof navigator === 'undefined' || navigator.onLine,
      now: Date.now,
      random: Math.random,
      ...parts,
    };
    parts.outage.state.subscribe(() => {
      if (this.#isOut()) void this.#watch();
    });
  }

  /** The device came back to a network, or the person to the page: asks now rather than after the pause. */
  hurry(): void {
    this.#hurry?.();
  }

  /** Something that should have come did not: finds out whether NodePanel is there. */
  suspect(): void {
    void this.#watch();
  }

  async #watch(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      do {
        const next = this.#parts.now() + this.#pace();
        const askedMs = await this.#ask(QUICK_MS);
        if (!this.#isOut()) break;
        await this.#wait(Math.max(next - this.#parts.now(), askedMs ?? 0));
      } while (this.#isOut());
    } finally {
      this.#asking = false;
    }
  }

  #pace(): number {
    const { hidden, random } = this.#parts;
    return (hidden() ? HIDDEN_PACE_MS : PACE_MS) + random() * PACE_JITTER_MS;
  }

  /** Waits, but not longer than until NodePanel is heard or somebody is in a hurry. */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        forgetBack();
        this.#hurry = null;
        resolve();
      };
      const timer = setTimeout(end, ms);
      const forgetBack = this.#parts.outage.onBack(end);
      this.#hurry = end;
    });
  }

  #isOut(): boolean {
    return this.#parts.outage.state.get().is === 'out';
  }

  async #askPatiently(): Promise<void> {
    if (this.#patient) return;
    this.#patient = true;
    await this.#ask(PATIENT_MS);
    this.#patient = false;
  }

  /** Asks once and reports what comes of it. Resolves with how long to wait, if that was said. */
  async #ask(limitMs: number): Promise<number | null> {
    const { ask, outage, online, now } = this.#parts;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), limitMs);
    // Whoever waits on a connection that died must not keep the next outage's question from being asked.
    const forgetBack = outage.onBack(() => limit.abort());
    const began = now();
    try {
      const response = await ask(limit.signal);
      const verdict = judge(answerOf(response, await response.text()), now());
      forgetBack();
      return this.#report(verdict, now() - began);
    } catch {
      // Somebody else was answered meanwhile: then this says nothing.
      if (outage.lastSign >= began) return null;
      if (!limit.signal.aborted) outage.report({ kind: online() ? 'network' : 'offline' });
      else {
        outage.report({ kind: 'silent' });
        void this.#askPatiently();
      }
      return null;
    } finally {
      clearTimeout(timer);
      forgetBack();
    }
  }

  #report(verdict: Verdict, tookMs: number): number | null {
    if (verdict.is === 'later') {
      this.#parts.outage.report(verdict.cause);
      return verdict.afterMs;
    }
    // Whatever it said, NodePanel itself said it.
    this.#parts.outage.answered(tookMs);
    return null;
  }
}
