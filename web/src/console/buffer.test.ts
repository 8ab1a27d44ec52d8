import { expect, it } from 'vitest';

import type { Entry } from '../live/console_link';
import { ConsoleBuffer, KEPT } from './buffer';

const lines = (from: number, count: number): Entry[] =>
  Array.from({ length: count }, (_, i) => ({ is: 'line', line: { n: from + i, t: 0, k: 'out', s: '' } }));

it('tells its readers once per frame', () => {
  const frames: (() => void)[] = [];
  const buffer = new ConsoleBuffer((run) => frames.push(run));
  const seen: number[] = [];
  buffer.subscribe((fresh) => seen.push(fresh.length));
  buffer.push(lines(1, 3));
  buffer.push(lines(4, 2));
  expect(frames).toHaveLength(1);
  frames.pop()?.();
  expect(seen).toEqual([5]);
});

it('stays bounded in a flood and keeps the newest', () => {
  const buffer = new ConsoleBuffer(() => undefined);
  for (let i = 0; i < 100; i += 1) buffer.push(lines(i * 1_000 + 1, 1_000));
  expect(buffer.entries.length).toBeLessThanOrEqual(KEPT * 1.5);
  expect(buffer.entries.length).toBeGreaterThanOrEqual(KEPT);
  expect(buffer.entries.at(-1)).toMatchObject({ line: { n: 100_000 } });
});

it('tells a reader that comes between two frames nothing twice', () => {
  const frames: (() => void)[] = [];
  const buffer = new ConsoleBuffer((run) => frames.push(run));
  const first: number[] = [];
  buffer.subscribe((fresh) => first.push(fresh.length));
  buffer.push(lines(1, 3));
  const seen = [...buffer.entries];
  buffer.subscribe((fresh) => seen.push(...fresh));
  frames.pop()?.();
  buffer.push(lines(4, 1));
  frames.pop()?.();
  expect(seen.map((entry) => (entry.is === 'line' ? entry.line.n : 0))).toEqual([1, 2, 3, 4]);
  expect(first).toEqual([3, 1]);
});

it('counts what nobody could be told of, as in a tab that draws nothing for long', () => {
  const frames: (() => void)[] = [];
  const buffer = new ConsoleBuffer((run) => frames.push(run));
  const told: [number, number][] = [];
  buffer.subscribe((fresh, left) => told.push([fresh.length, left]));
  for (let i = 0; i < 40; i += 1) buffer.push(lines(i * 1_000 + 1, 1_000));
  frames.pop()?.();
  expect(told).toHaveLength(1);
  expect(told.reduce((sum, [fresh, left]) => sum + fresh + left, 0)).toBe(40_000);
  buffer.push(lines(40_001, 1));
  frames.pop()?.();
  expect(told[1]).toEqual([1, 0]);
});
