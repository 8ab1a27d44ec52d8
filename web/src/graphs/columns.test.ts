import { expect, it } from 'vitest';

import type { Sample } from '../api/types';
import { columns, withTicks } from './columns';

const sample = (second: number, cpu: number | null): Sample => ({
  at: new Date(second * 1_000).toISOString(),
  cpu_percent: cpu,
  memory_bytes: null,
  disk_bytes: null,
  network_in_bps: null,
  network_out_bps: null,
  uptime_s: null,
  players: null,
  players_max: null,
});

it('breaks the line where samples are missing', () => {
  expect(columns([sample(1, 10), sample(2, 20), sample(9, 30)], 1, [(s) => s.cpu_percent])).toEqual([
    [1, 2, 3, 9],
    [10, 20, null, 30],
  ]);
});

it('leaves out what goes back in time', () => {
  expect(columns([sample(5, 1), sample(5, 2), sample(4, 3)], 1, [(s) => s.cpu_percent])).toEqual([[5], [1]]);
});

it('appends live samples and keeps an hour', () => {
  const joined = withTicks([sample(0, 1), sample(3_000, 2)], [sample(3_000, 9), sample(4_000, 3)]);
  expect(joined.map((s) => s.cpu_percent)).toEqual([2, 3]);
});
