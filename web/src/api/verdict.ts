/**
 * What an answer means for the page: the one place that tells NodePanel's own words from a proxy's, and the end of a
 * session from everything else. Pure.
 *
 * ```text
 *   answer         it is about this request: give it to the caller, good or bad
 *   session-ended  the caller must sign in again; nothing but this code says so
 *   busy           the same idempotency key is being worked on: ask again for the result
 *   later          nobody could answer: keep everything, say why, ask again
 * ```
 */
import { parseProblem } from './problem';
import { retryAfterMs } from './retry_after';
import type { Problem } from './types';

/** Why nobody could answer. */
export type OutageCause =
  | { kind: 'offline' }
  | { kind: 'network' }
  | { kind: 'silent' }
  /** It answers, but later than anybody can work with. */
  | { kind: 'slow'; tookMs: number }
  | { kind: 'foreign'; status: number }
  | { kind: 'problem'; problem: Problem };

export type Verdict =
  | { is: 'answer'; problem: Problem | null }
  | { is: 'session-ended'; problem: Problem }
  | { is: 'busy'; afterMs: number }
  /** `afterMs` is what was asked for; `binding` when NodePanel itself asked, so that no sign of life may cut it short. */
  | { is: 'later'; cause: OutageCause; afterMs: number | null; binding: boolean; reached: boolean };

/** The parts of a response that the verdict depends on. */
export interface Answer {
  status: number;
  contentType: string | null;
  body: string;
  /** The header `Retry-After`. */
  retryAfter: string | null;
  /** A redirect that was not followed: NodePanel's API never redirects. */
  redirect: boolean;
}

/**
 * Problems that pass by themselves, so that the same request may succeed a moment later. Too many requests is none: it is
 * about this caller, who is told, instead of being made to wait without a word.
 */
const PASSING = new Set<string>([
  'store-unavailable',
  'disk-failing',
  'outcome-unknown',
  'overloaded',
  'not-ready',
]);

const BUSY_POLL_MS = 300;
/** What a proxy asks for is respected up to this: it knows less than NodePanel about when that will be back. */
const FOREIGN_MOST_MS = 5_000;

/** `now` is in milliseconds since the epoch. */
export function judge(answer: Answer, now: number): Verdict {
  const asked = retryAfterMs(answer.retryAfter, now);
  const foreign: Verdict = {
    is: 'later',
    cause: { kind: 'foreign', status: answer.status },
    afterMs: asked === null ? null : Math.min(asked, FOREIGN_MOST_MS),
    binding: false,
    reached: false,
  };
  if (answer.redirect) return foreign;
  if (answer.status >= 200 && answer.status < 300) {
    const ours = answer.body === '' || isJson(answer.contentType);
    return ours ? { is: 'answer', problem: null } : foreign;
  }
  const problem = parseProblem(answer.contentType, answer.body);
  if (problem === null) return foreign;
  if (problem.code === 'session-ended') return { is: 'session-ended', problem };
  if (problem.code === 'key-in-progress') return { is: 'busy', afterMs: ownRetryAfterMs(problem) ?? asked ?? BUSY_POLL_MS };
  if (PASSING.has(problem.code)) {
    return {
      is: 'later',
      cause: { kind: 'problem', problem },
      afterMs: ownRetryAfterMs(problem) ?? asked,
      // That no API server is ready is over as soon as one answers.
      binding: problem.code !== 'not-ready',
      reached: problem.code === 'outcome-unknown',
    };
  }
  return { is: 'answer', problem };
}

/** What a person should know about an outage: what is so, and what the panel does about it. */
export function explain(cause: OutageCause): string {
  switch (cause.kind) {
    case 'offline':
      return 'This device has no network connection.';
    case 'network':
      return 'NodePanel cannot be reached from here.';
    case 'silent':
      return 'NodePanel does not answer.';
    case 'slow':
      return `NodePanel answers, but only after ${Math.round(cause.tookMs / 1_000)} seconds.`;
    case 'foreign':
      return cause.status === 401 || cause.status === 407
        ? `Something between this page and NodePanel asks for a sign-in of its own (status ${cause.status}). Your NodePanel session is untouched.`
        : `Something between this page and NodePanel answered in its place (status ${cause.status}).`;
    case 'problem':
      return cause.problem.detail || cause.problem.title;
  }
}

function ownRetryAfterMs(problem: Problem): number | null {
  return typeof problem.retry_after_s === 'number' ? problem.retry_after_s * 1000 : null;
}

function isJson(contentType: string | null): boolean {
  return contentType?.startsWith('application/json') ?? false;
}
