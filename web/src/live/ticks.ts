/**
 * The last minute of every server's figures, for sparklines. Kept outside of the query cache because a thousand servers
 * change once a second and only the few on screen may be drawn again.
 */
import { useCallback, useSyncExternalStore } from 'react';

import type { Sample, StatsTick } from '../api/types';

const KEPT = 60;
const NONE: readonly Sample[] = [];

const series = new Map<string, readonly Sample[]>();
const readers = new Map<string, Set<() => void>>();

export function pushTicks(ticks: readonly StatsTick[]): void {
  for (const tick of ticks) {
    series.set(tick.id, [...(series.get(tick.id) ?? NONE).slice(1 - KEPT), tick]);
    readers.get(tick.id)?.forEach((reader) => reader());
  }
}

export function forgetTicks(id: string): void {
  series.delete(id);
  readers.get(id)?.forEach((reader) => reader());
}

/** A server's samples of the last minute, oldest first. */
export function useTicks(id: string): readonly Sample[] {
  const subscribe = useCallback(
    (reader: () => void) => {
      const mine = readers.get(id) ?? new Set();
      readers.set(id, mine.add(reader));
      return () => {
        mine.delete(reader);
        if (mine.size === 0) readers.delete(id);
      };
    },
    [id],
  );
  return useSyncExternalStore(subscribe, () => series.get(id) ?? NONE);
}
