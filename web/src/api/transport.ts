/**
 * Carries requests through outages. A request ends in exactly one of: NodePanel's own answer, the end of the session,
 * the caller's loss of interest, or the end of the caller's patience. Everything else is tried again: reads always,
 * writes only under the `Idempotency-Key` that they were made with, so that one click has one effect.
 *
 * A write without a key is sent once; when its fate is unknown the caller is told so.
 *
 * An attempt that was under way when an outage ended may hang on a connection that died in it: it is soon given up for a
 * new one.
 *
 * Does not parse bodies, cache, or know any endpoint.
 */
import { askedDelayMs, delayMs } from './backoff';
import { SILENCE_MS, abortReason, type OutageWatch } from './outage';
import { GaveUpError, ProblemError, SessionEndedError } from './problem';
import { judge, type Answer, type OutageCause, type Verdict } from './verdict';

/** How far a request is, for the button that caused it. */
export type Progress = 'sending' | 'waiting' | 'finding-out';

export interface SendOptions {
  /** Told whenever the request's state changes. */
  onProgress?: (progress: Progress) => void;
  /** How long to go on trying; `Infinity` for reads, 5 minutes for writes unless said otherwise. */
  patienceMs?: number;
  /** False for requests that expect to wait for something slower than NodePanel itself. */
  silenceIsOutage?: boolean;
}

export interface TransportParts {
  fetch: (request: Request) => Promise<Response>;
  outage: OutageWatch;
  onSessionEnded: () => void;
  now?: () => number;
  random?: () => number;
  online?: () => boolean;
}

/** Attempts are given up after these times; the last one counts for all that follow. */
const ATTEMPT_MS = [4_000, 8_000, 12_000];
/** The same while NodePanel is known to answer, but slowly. */
const SLOW_ATTEMPT_MS = 40_000;
/** While nobody answers the probe asks; everybody else, after these tries, only this often, with jitter. */
const QUICK_TRIES = 3;
const AWAY_MS = 20_000;
/** How long an attempt that began before the end of an outage may still take. */
const AFTER_BACK_MS = 250;
/** Who was woken this often and failed again waits out its pauses: it fails for a reason of its own. */
const WOKEN_IN_VAIN = 2;
const WRITE_PATIENCE_MS = 5 * 60_000;

type Attempt = { is: 'stale' } | { is: 'judged'; verdict: Verdict; response: Response | null; tookMs: number };

export class Transport {
  readonly #parts: Required<TransportParts>;

  constructor(parts: TransportParts) {
    this.#parts = {
      now: Date.now,
      random: Math.random,
      online: () => typeof navigator === 'undefined' || navigator.onLine,
      ...parts,
    };
  }

  /**
   * Sends a request until there is an answer to it.
   *
   * @throws ProblemError NodePanel refused
   * @throws SessionEndedError the session is over
   * @throws GaveUpError patience ended first
   */
  async send(request: Request, options: SendOptions = {}): Promise<Response> {
    const { outage, now } = this.#parts;
    const read = request.method === 'GET' || request.method === 'HEAD';
    const repeatable = read || request.headers.has('Idempotency-Key');
    const body = read ? null : await request.text();
    const deadline = now() + (options.patienceMs ?? (read ? Infinity : WRITE_PATIENCE_MS));
    let uncertain = false;
    let wokenInVain = 0;

    options.onProgress?.('sending');
    for (let attempt = 1; ; attempt += 1) {
      const made = await this.#attempt(request, body, attempt, repeatable, options);
      if (made.is === 'stale') {
        uncertain = true;
        continue;
      }
      const { verdict, response, tookMs } = made;
      switch (verdict.is) {
        case 'answer':
          outage.answered(tookMs);
          if (verdict.problem !== null) throw new ProblemError(verdict.problem);
          // An 'answer' without a problem always comes with its response.
          return response ?? Response.error();
        case 'session-ended':
          outage.answered(tookMs);
          this.#parts.onSessionEnded();
          throw new SessionEndedError(verdict.problem);
        case 'busy':
          outage.answered(tookMs);
          uncertain = true;
          options.onProgress?.('finding-out');
          break;
        case 'later':
          uncertain ||= verdict.reached;
          if (aboutThisWrite(read, verdict.cause)) outage.answered(tookMs);
          else if (!onlyThis(verdict.cause, outage.lastSign > now() - tookMs)) outage.report(verdict.cause);
          options.onProgress?.(uncertain ? 'finding-out' : 'waiting');
          break;
      }
      // Nobody will send it again: then NodePanel's own words say best why it was not done, and when to try.
      if (!repeatable && !uncertain && verdict.is === 'later' && verdict.cause.kind === 'problem') {
        throw new ProblemError(verdict.cause.problem);
      }
      const binding = verdict.is === 'later' && verdict.binding;
      const deaf = binding || wokenInVain >= WOKEN_IN_VAIN;
      const pause = this.#pause(verdict, attempt, deaf);
      const left = deadline - now();
      if (!repeatable || left <= 0 || (binding && pause > left)) throw new GaveUpError(uncertain);
      const woken = await outage.sleep(Math.min(pause, left), request.signal, deaf);
      if (!deaf) wokenInVain = woken ? wokenInVain + 1 : 0;
    }
  }

  /** How long to wait before the next attempt, in milliseconds; `deaf` when a sign of life does not cut it short. */
  #pause(verdict: Exclude<Verdict, { is: 'answer' | 'session-ended' }>, attempt: number, deaf: boolean): number {
    const random = this.#parts.random();
    if (verdict.afterMs !== null) return askedDelayMs(verdict.afterMs, random);
    // The first pauses are short, for one broken connection is no outage.
    const out = this.#parts.outage.state.get().is === 'out';
    const away = out && !deaf && verdict.is === 'later' && isAway(verdict.cause, attempt);
    return away ? Math.round(AWAY_MS * (0.75 + random / 2)) : delayMs(attempt, random);
  }

  async #attempt(
    original: Request,
    body: string | null,
    attempt: number,
    repeatable: boolean,
    options: SendOptions,
  ): Promise<Attempt> {
    const { outage, now, online } = this.#parts;
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), this.#limit(attempt));
    const began = now();
    const silence = setTimeout(() => {
      // Another request or the live stream may have been answered meanwhile: then only this one is slow.
      if (options.silenceIsOutage !== false && outage.lastSign < began) outage.report({ kind: 'silent' });
    }, SILENCE_MS);
    const stale = new AbortController();
    let grace: ReturnType<typeof setTimeout> | undefined;
    const forgetBack = outage.onBack(() => {
      if (repeatable) grace ??= setTimeout(() => stale.abort(), AFTER_BACK_MS);
    });
    try {
      const request = new Request(original.url, {
        method: original.method,
        headers: original.headers,
        body,
        credentials: 'same-origin',
        redirect: 'manual',
        cache: 'no-store',
        signal: AbortSignal.any([original.signal, timeout.signal, stale.signal]),
      });
      const received = await this.#parts.fetch(request);
      const text = await received.text();
      const verdict = judge(answerOf(received, text), now());
      const response =
        received.status >= 200 && received.status < 300
          ? new Response(text === '' ? null : text, { status: received.status, headers: received.headers })
          : null;
      return { is: 'judged', verdict, response, tookMs: now() - began };
    } catch (error) {
      if (original.signal.aborted) throw abortReason(original.signal);
      if (stale.signal.aborted) return { is: 'stale' };
      if (!timeout.signal.aborted && !(error instanceof TypeError)) throw error;
      const cause: OutageCause = timeout.signal.aborted
        ? { kind: 'silent' }
        : { kind: online() ? 'network' : 'offline' };
      const verdict: Verdict = { is: 'later', cause, afterMs: null, binding: false, reached: true };
      return { is: 'judged', verdict, response: null, tookMs: now() - began };
    } finally {
      clearTimeout(timer);
      clearTimeout(silence);
      clearTimeout(grace);
      forgetBack();
    }
  }

  /** How long an attempt may take. */
  #limit(attempt: number): number {
    const state = this.#parts.outage.state.get();
    if (state.is === 'out' && state.cause.kind === 'slow') return SLOW_ATTEMPT_MS;
    return ATTEMPT_MS[Math.min(attempt, ATTEMPT_MS.length) - 1] ?? 12_000;
  }
}

/** What the verdict needs of a response. */
export function answerOf(response: Response, body: string): Answer {
  return {
    status: response.status,
    contentType: response.headers.get('content-type'),
    body,
    retryAfter: response.headers.get('retry-after'),
    redirect: response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400),
  };
}

/** A connection hung while NodePanel was heard on others: it died alone, and a new one will do. */
function onlyThis({ kind }: OutageCause, heardMeanwhile: boolean): boolean {
  return kind === 'silent' && heardMeanwhile;
}

/** Nobody is there who could say more. Whom seconds of silence did not convince, a few broken connections do. */
function isAway({ kind }: OutageCause, attempts: number): boolean {
  return kind === 'silent' || (attempts > QUICK_TRIES && (kind === 'network' || kind === 'offline'));
}

/** NodePanel itself answered that a write must wait: the connection is fine, and the banner must not say otherwise. */
function aboutThisWrite(read: boolean, cause: OutageCause): boolean {
  return !read && cause.kind === 'problem';
}
