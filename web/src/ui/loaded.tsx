/**
 * The four states that every view has: loading (with words and the room that the data will take), the error, the data,
 * and the data with its age when it cannot be refreshed.
 */
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { useCell } from '../api/cell';
import { outage } from '../api/client';
import { Button } from './button';
import { Failure } from './failure';
import { ago, clock } from './format';
import { useNow } from './now';

interface LoadedProps<T> {
  query: UseQueryResult<T>;
  /** What is loaded, for "Loading your servers…". */
  what: string;
  /** Rows of room to keep while loading. */
  rows?: number;
  /** What else can be done when it could not be loaded. */
  otherwise?: ReactNode;
  children: (data: T) => ReactNode;
}

export function Loaded<T>({ query, what, rows = 4, otherwise, children }: LoadedProps<T>) {
  if (query.data !== undefined) {
    return (
      <>
        {query.isError && (
          <Failure error={query.error} what={`What you see of ${what} could not be refreshed.`}>
            <Retry query={query} />
          </Failure>
        )}
        <Age at={query.dataUpdatedAt} />
        {children(query.data)}
      </>
    );
  }
  if (query.isError) {
    return (
      <Failure error={query.error} what={`Could not load ${what}.`}>
        <Retry query={query} />
        {otherwise}
      </Failure>
    );
  }
  return <Skeleton what={what} rows={rows} />;
}

function Retry({ query }: { query: UseQueryResult }) {
  return (
    <Button onClick={() => void query.refetch()} progress={query.isFetching ? 'sending' : null}>
      Try again
    </Button>
  );
}

export function Skeleton({ what, rows = 4 }: { what: string; rows?: number }) {
  return (
    <div className="skeleton" role="status">
      <p className="muted">Loading {what}…</p>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="skeleton-row" />
      ))}
    </div>
  );
}

/** "As of 14:02:10, 38 s ago", while NodePanel cannot be asked. */
function Age({ at }: { at: number }) {
  const cutOff = useCell(outage.state).is === 'out';
  const now = useNow();
  if (!cutOff || at === 0) return null;
  return (
    <p className="age" data-testid="age">
      As of {clock(at, now)}, {ago(at, now)}.
    </p>
  );
}
