/** A defect of a page: the rest of the panel goes on. */
import type { ErrorComponentProps } from '@tanstack/react-router';

import { Button } from '../ui/button';
import { Failure } from '../ui/failure';

export function PageFailure({ error, reset }: ErrorComponentProps) {
  return (
    <div className="page narrow">
      <h1>This page cannot be shown</h1>
      <Failure error={error} what="Your servers are not affected.">
        <Button onClick={reset}>Try again</Button>
      </Failure>
    </div>
  );
}
