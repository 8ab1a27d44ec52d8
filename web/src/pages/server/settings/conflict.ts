/**
 * Whether a change may still be made although the server is no longer as the person saw it. A power action, or another
 * person's change of another field, is no conflict: only what this change would overwrite counts. Pure.
 */
import type { ServerView, UpdateServer } from '../../../api/types';

/** Whether everything that `change` replaces is still what the person `saw`. */
export function stillFits(change: UpdateServer, saw: ServerView, now: ServerView): boolean {
  const same = (before: unknown, after: unknown): boolean => JSON.stringify(before) === JSON.stringify(after);
  return (
    (change.name == null || same(saw.name, now.name)) &&
    (change.owner == null || same(saw.owner.id, now.owner.id)) &&
    (change.limits == null || same(saw.limits, now.limits)) &&
    (change.crash == null || same(saw.crash, now.crash)) &&
    (change.upgrade_template !== true || same(saw.template, now.template)) &&
    Object.keys(change.variables ?? {}).every((key) => same(saw.variables[key], now.variables[key]))
  );
}
