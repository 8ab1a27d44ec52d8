/**
 * What happened to a server as marks on the time axis. Things that would be drawn over each other become one mark, which
 * looks like the gravest of them. Pure.
 */
import type { ActivityEntry } from '../api/types';

export type MarkKind = ActivityEntry['kind'];

export interface Mark {
  /** Seconds since the epoch. */
  at: number;
  kind: MarkKind;
  /** Oldest first. */
  entries: readonly ActivityEntry[];
}

/** The gravest first. */
export const MARK_KINDS: readonly MarkKind[] = ['crash', 'restart', 'recovery', 'install', 'power', 'remove'];

/** The marks between two times, oldest first; `apart` is how many seconds two marks need between them. */
export function marksBetween(entries: readonly ActivityEntry[], from: number, to: number, apart: number): Mark[] {
  const sorted = entries
    .map((entry) => ({ entry, at: Date.parse(entry.at) / 1_000 }))
    .filter(({ at }) => at >= from && at <= to)
    .sort((a, b) => a.at - b.at || a.entry.n - b.entry.n);
  const marks: { at: number; entries: ActivityEntry[] }[] = [];
  for (const { entry, at } of sorted) {
    const last = marks.at(-1);
    // Measured from the mark's beginning, so that a long row of crashes stays a row of marks.
    if (last !== undefined && at - last.at < apart) last.entries.push(entry);
    else marks.push({ at, entries: [entry] });
  }
  return marks.map((mark) => ({ ...mark, kind: gravest(mark.entries) }));
}

/** The mark nearest to a time, if one is within `reach` seconds of it. */
export function markAt(marks: readonly Mark[], time: number, reach: number): Mark | null {
  let found: Mark | null = null;
  for (const mark of marks) {
    const distance = Math.abs(mark.at - time);
    if (distance <= reach && (found === null || distance < Math.abs(found.at - time))) found = mark;
  }
  return found;
}

function gravest(entries: readonly ActivityEntry[]): MarkKind {
  return MARK_KINDS.find((kind) => entries.some((entry) => entry.kind === kind)) ?? 'power';
}
