import { expect, it } from 'vitest';

import type { ActivityEntry } from '../../api/types';
import { ownRestarts, remedy } from './restarts';

let n = 0;
const entry = (kind: ActivityEntry['kind'], second: number, text = kind as string, automatic = true): ActivityEntry => {
  n += 1;
  return { n, at: new Date(1_700_000_000_000 + second * 1_000).toISOString(), kind, text, automatic, server: null, took_ms: null };
};

it('pairs a crash with the start that followed it, newest first, whatever the order', () => {
  const entries = [
    entry('power', 0, 'Started.', false),
    entry('crash', 10, 'It ran out of memory.'),
    entry('restart', 11),
    entry('crash', 60, 'It ended with exit code 3.'),
    entry('restart', 62),
  ];
  for (const order of [entries, entries.toReversed()]) {
    expect(ownRestarts(order)).toEqual([
      { at: Date.parse(entries[3]?.at ?? ''), why: 'It ended with exit code 3.', awayMs: 2_000 },
      { at: Date.parse(entries[1]?.at ?? ''), why: 'It ran out of memory.', awayMs: 1_000 },
    ]);
  }
});

it('says when it is still away, and does not count a person’s start as its own', () => {
  const waiting = ownRestarts([entry('crash', 10)]);
  expect(waiting).toMatchObject([{ awayMs: null }]);
  const taken = ownRestarts([entry('crash', 10), entry('power', 20, 'Started.', false), entry('crash', 30), entry('restart', 31)]);
  expect(taken.map(({ awayMs }) => awayMs)).toEqual([1_000, null]);
});

it('knows a restart whose crash is no longer kept, and one after a reboot of the machine', () => {
  expect(ownRestarts([entry('restart', 5, 'Started again after the crash.')])).toMatchObject([{ why: 'Started again after the crash.' }]);
  expect(ownRestarts([entry('recovery', 5, 'The machine was restarted.')])).toMatchObject([{ why: 'The machine was restarted.' }]);
  expect(ownRestarts([entry('power', 5, 'Restarted.', false), entry('install', 6)])).toEqual([]);
});

it('names what can be done, where it knows', () => {
  expect(remedy('The server ran out of memory (limit 512 MiB).')?.where).toBe('settings');
  expect(remedy('The server ended with exit code 3.')?.where).toBe('console');
  expect(remedy('The machine was restarted while the server ran.')).toBeNull();
});
