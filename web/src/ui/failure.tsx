/** An error as sentences, with the request id to copy. Never a code alone. */
import type { ReactNode } from 'react';

import { ProblemError, describe, fieldErrors } from '../api/problem';
import { Copy } from './copy';
import { withLocalTimes } from './format';
import { AlertIcon } from './icons';
import { useNow } from './now';

interface FailureProps {
  error: unknown;
  /** What the person wanted: "The server was not created." */
  what?: string;
  /** Fields whose errors are already shown beside them. */
  shown?: readonly string[];
  children?: ReactNode;
}

export function Failure({ error, what, shown = [], children }: FailureProps) {
  const now = useNow();
  if (error === null || error === undefined) return null;
  const problem = error instanceof ProblemError ? error.problem : null;
  const others = problem === null ? [] : fieldErrors(problem).filter(({ field }) => !shown.includes(field));
  return (
    <div className="failure" role="alert">
      <AlertIcon />
      <div>
        <p>
          {what} {withLocalTimes(describe(error), now)}
        </p>
        {others.length > 0 && (
          <ul>
            {others.map(({ field, message }) => (
              <li key={field + message}>
                <code>{field}</code>: {message}
              </li>
            ))}
          </ul>
        )}
        {problem?.request_id != null && (
          <p className="muted small">
            Request <Copy text={problem.request_id} what="request id" />
          </p>
        )}
        {children}
      </div>
    </div>
  );
}
