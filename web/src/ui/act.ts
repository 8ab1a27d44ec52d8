/**
 * One click, one effect, one answer: runs a write under a key of its own, ignores clicks while it runs, and knows how
 * far it is. What came of it is the caller's to show.
 */
import { useCallback, useRef, useState } from 'react';

import type { WriteOptions } from '../api/client';
import { newKey } from '../api/idempotency';
import { ProblemError } from '../api/problem';
import type { Progress } from '../api/transport';

export interface Act<I> {
  run: (input: I) => void;
  progress: Progress | null;
  error: unknown;
  /** What is wrong with one field of the input. */
  fieldError: (field: string) => string | null;
  reset: () => void;
}

export function useAct<I, O>(
  write: (input: I, options: WriteOptions) => Promise<O>,
  { onDone, onError }: { onDone?: (output: O, input: I) => void; onError?: (error: unknown) => void } = {},
): Act<I> {
  const [progress, setProgress] = useState<Progress | null>(null);
  const [error, setError] = useState<unknown>(null);
  const busy = useRef(false);

  const run = useCallback(
    (input: I) => {
      if (busy.current) return;
      busy.current = true;
      setError(null);
      write(input, { key: newKey(), onProgress: setProgress })
        .then(
          (output) => onDone?.(output, input),
          (reason: unknown) => {
            setError(reason);
            onError?.(reason);
          },
        )
        .finally(() => {
          busy.current = false;
          setProgress(null);
        });
    },
    [write, onDone, onError],
  );

  return {
    run,
    progress,
    error,
    fieldError: (field) => (error instanceof ProblemError ? error.field(field) : null),
    reset: () => setError(null),
  };
}
