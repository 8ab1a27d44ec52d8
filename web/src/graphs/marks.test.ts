import { expect, it } from 'vitest';

import type { ActivityEntry } from '../api/types';
import { markAt, marksBetween } from './marks';

let n = 0;
const entry = (second: number, kind: ActivityEntry['kind'], text: string = kind): ActivityEntry => {
  n += 1;
  return { n, at: new Date(second * 1_000).toISOString(), server: null, kind, text, took_ms: null, automatic: true };
};

it('leaves out what is not on the axis and sorts the rest', () => {
  const marks = marksBetween([entry(900, 'crash'), entry(200, 'power'), entry(500, 'restart')], 300, 1_000, 10);
  expect(marks.map(({ at, kind }) => [at, kind])).toEqual([[500, 'restart'], [900, 'crash']]);
});

it('makes one mark of what lies on one place, and shows the gravest of it', () => {
  const marks = marksBetween([entry(100, 'power', 'a'), entry(103, 'crash', 'b'), entry(104, 'restart', 'c')], 0, 1_000, 10);
  expect(marks).toHaveLength(1);
  expect(marks[0]?.kind).toBe('crash');
  expect(marks[0]?.entries.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
});

it('does not melt a long row of crashes into one mark', () => {
  const row = Array.from({ length: 20 }, (_, i) => entry(100 + i * 6, 'crash'));
  expect(marksBetween(row, 0, 1_000, 10)).toHaveLength(10);
});

it('finds the nearest mark within reach', () => {
  const marks = marksBetween([entry(100, 'power'), entry(140, 'crash')], 0, 1_000, 10);
  expect(markAt(marks, 125, 20)?.kind).toBe('crash');
  expect(markAt(marks, 70, 20)).toBeNull();
});
