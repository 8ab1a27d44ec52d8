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
import type { Problem } from './types';

/** Why nobody could answer. */
export type OutageCause =
  | { kind: 'offline' }
  | { kind: 'network' }
  | { kind: 'silent' }
  | { kind: 'foreign'; status: number }
  | { kind: 'problem'; problem: Problem };

export type Verdict =
  | { is: 'answer'; problem: Problem | null }
  | { is: 'session-ended'; problem: Problem }
  | { is: 'busy'; afterMs: number }
  | { is: 'later'; cause: OutageCause; afterMs: number | null; reached: boolean };

/** The parts of a response that the verdict depends on. */
export interface Answer {
  status: number;
  contentType: string | null;
  body: string;
  /** A redirect that was not followed: NodePanel's API never redirects. */
  redirect: boolean;
}

/** Problems that pass by themselves, so that the same request may succeed a moment later. */
const PASSING = new Set<string>([
  'store-unavailable',
  'outcome-unknown',
  'overloaded',
  'not-ready',
  'too-many-requests',
]);

const BUSY_POLL_MS = 300;

export function judge(answer: Answer): Verdict {
  const foreign: Verdict = {
    is: 'later',
    cause: { kind: 'foreign', status: answer.status },
    afterMs: null,
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
  if (problem.code === 'key-in-progress') return { is: 'busy', afterMs: retryAfterMs(problem) ?? BUSY_POLL_MS };
  if (PASSING.has(problem.code)) {
    return {
      is: 'later',
      cause: { kind: 'problem', problem },
      afterMs: retryAfterMs(problem),
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
    case 'foreign':
      return cause.status === 401 || cause.status === 407
        ? `Something between this page and NodePanel asks for a sign-in of its own (status ${cause.status}). Your NodePanel session is untouched.`
        : `Something between this page and NodePanel answered in its place (status ${cause.status}).`;
    case 'problem':
      return cause.problem.detail || cause.problem.title;
  }
}

function retryAfterMs(problem: Problem): number | null {
  return typeof problem.retry_after_s === 'number' ? problem.retry_after_s * 1000 : null;
}

function isJson(contentType: string | null): boolean {
  return contentType?.startsWith('application/json') ?? false;
}
