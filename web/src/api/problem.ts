/**
 * Problem documents (RFC 9457) of NodePanel, and the errors that a caller of the API can meet. A client decides by
 * `code`, never by the text.
 */
import type { FieldError, Problem } from './types';

const URN = 'urn:nodepanel:problem:';

/** Reads a body as a problem document of NodePanel; `null` when it is anybody else's words. */
export function parseProblem(contentType: string | null, body: string): Problem | null {
  if (!contentType?.startsWith('application/problem+json')) return null;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { type, code } = value as Partial<Record<'type' | 'code', unknown>>;
  if (typeof type !== 'string' || typeof code !== 'string' || type !== URN + code) return null;
  return value as Problem;
}

/** NodePanel answered, and refused. Nothing was changed unless the problem says otherwise. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.problem = problem;
  }

  /** What is wrong with a field, for example `limits.memory_mib`. */
  field(name: string): string | null {
    return fieldErrors(this.problem).find((error) => error.field === name)?.message ?? null;
  }
}

/** The session is over. The one error that leads to the sign-in page. */
export class SessionEndedError extends ProblemError {}

/** NodePanel could not be reached for as long as the caller wanted to wait. */
export class GaveUpError extends Error {
  override readonly name = 'GaveUpError';
  /** True when the request may have arrived. */
  readonly uncertain: boolean;

  constructor(uncertain: boolean) {
    super(
      uncertain
        ? 'NodePanel could not be reached to find out whether this was done. Look at the present state before you try again.'
        : 'NodePanel could not be reached, so nothing was changed. Try again when it answers.',
    );
    this.uncertain = uncertain;
  }
}

export function fieldErrors(problem: Problem): FieldError[] {
  return problem.errors ?? [];
}

/** An error as sentences for a person, whatever it is. */
export function describe(error: unknown): string {
  if (error instanceof ProblemError || error instanceof GaveUpError) return error.message;
  if (error instanceof Error) return `The panel met an error of its own: ${error.message}`;
  return 'The panel met an error of its own.';
}
