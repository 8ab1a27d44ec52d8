/**
 * Carries requests through outages. A request ends in exactly one of: NodePanel's own answer, the end of the session,
 * the caller's loss of interest, or the end of the caller's patience. Everything else is tried again: reads always,
 * writes only under the `Idempotency-Key` that they were made with, so that one click has one effect.
 *
 * A write without a key is sent once; when its fate is unknown the caller is told so.
 *
 * Does not parse bodies, cache, or know any endpoint.
 */
import { delayMs } from './backoff';
import { abortReason, type OutageWatch } from './outage';
import { GaveUpError, ProblemError, SessionEndedError } from './problem';
import { judge, type OutageCause, type Verdict } from './verdict';

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

/** After this long without an answer the page says that it waits. */
export const SILENCE_MS = 1_200;
/** Attempts are given up after these times; the last one counts for all that follow. */
const ATTEMPT_MS = [4_000, 8_000, 12_000];
const WRITE_PATIENCE_MS = 5 * 60_000;

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
    const { outage, now, random } = this.#parts;
    const read = request.method === 'GET' || request.method === 'HEAD';
    const repeatable = read || request.headers.has('Idempotency-Key');
    const body = read ? null : await request.text();
    const deadline = now() + (options.patienceMs ?? (read ? Infinity : WRITE_PATIENCE_MS));
    let uncertain = false;

    options.onProgress?.('sending');
    for (let attempt = 1; ; attempt += 1) {
      const { verdict, response } = await this.#attempt(request, body, attempt, options);
      switch (verdict.is) {
        case 'answer':
          outage.signOfLife();
          if (verdict.problem !== null) throw new ProblemError(verdict.problem);
          // An 'answer' without a problem always comes with its response.
          return response ?? Response.error();
        case 'session-ended':
          outage.signOfLife();
          this.#parts.onSessionEnded();
          throw new SessionEndedError(verdict.problem);
        case 'busy':
          outage.signOfLife();
          uncertain = true;
          options.onProgress?.('finding-out');
          break;
        case 'later':
          uncertain ||= verdict.reached;
          if (aboutThisWrite(read, verdict.cause)) outage.signOfLife();
          else outage.report(verdict.cause);
          options.onProgress?.(uncertain ? 'finding-out' : 'waiting');
          break;
      }
      const pause = verdict.afterMs ?? delayMs(attempt, random());
      if (!repeatable || now() + pause > deadline) throw new GaveUpError(uncertain);
      await outage.sleep(pause, request.signal);
    }
  }

  async #attempt(
    original: Request,
    body: string | null,
    attempt: number,
    options: SendOptions,
  ): Promise<{ verdict: Verdict; response: Response | null }> {
    const { outage, now, online } = this.#parts;
    const limit = ATTEMPT_MS[Math.min(attempt, ATTEMPT_MS.length) - 1] ?? 12_000;
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), limit);
    const began = now();
    const silence = setTimeout(() => {
      // Another request or the live stream may have been answered meanwhile: then only this one is slow.
      if (options.silenceIsOutage !== false && outage.lastSign < began) outage.report({ kind: 'silent' });
    }, SILENCE_MS);
    try {
      const request = new Request(original.url, {
        method: original.method,
        headers: original.headers,
        body,
        credentials: 'same-origin',
        redirect: 'manual',
        cache: 'no-store',
        signal: AbortSignal.any([original.signal, timeout.signal]),
      });
      const received = await this.#parts.fetch(request);
      const text = await received.text();
      const contentType = received.headers.get('content-type');
      const verdict = judge({
        status: received.status,
        contentType,
        body: text,
        redirect: received.type === 'opaqueredirect' || (received.status >= 300 && received.status < 400),
      });
      const response =
        received.status >= 200 && received.status < 300
          ? new Response(text === '' ? null : text, { status: received.status, headers: received.headers })
          : null;
      return { verdict, response };
    } catch (error) {
      if (original.signal.aborted) throw abortReason(original.signal);
      if (!timeout.signal.aborted && !(error instanceof TypeError)) throw error;
      const cause: OutageCause = timeout.signal.aborted
        ? { kind: 'silent' }
        : { kind: online() ? 'network' : 'offline' };
      return { verdict: { is: 'later', cause, afterMs: null, reached: true }, response: null };
    } finally {
      clearTimeout(timer);
      clearTimeout(silence);
    }
  }
}

/** NodePanel itself answered that a write must wait: the connection is fine, and the banner must not say otherwise. */
function aboutThisWrite(read: boolean, cause: OutageCause): boolean {
  return !read && cause.kind === 'problem';
}
