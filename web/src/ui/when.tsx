/** An instant in a table: the time of day, and below it how long ago that was. */
import { ago, clock } from './format';

export function When({ at, now }: { at: string; now: number }) {
  return (
    <>
      <time dateTime={at}>{clock(at, now)}</time>
      <div className="muted small">{ago(at, now)}</div>
    </>
  );
}
