import { expect, it } from 'vitest';

import { slice } from './window';

it('draws short lists whole', () => {
  expect(slice(100, 50, 4_000, 800)).toEqual({ first: 0, last: 100, before: 0, after: 0 });
});

it.each([0, 1_000, 26_000, 49_900, 80_000])('keeps the height of a long list at %i px', (scrolled) => {
  const { first, last, before, after } = slice(1_000, 50, scrolled, 800);
  expect(before + (last - first) * 50 + after).toBe(50_000);
  expect(last - first).toBeLessThan(60);
});
