import { expect, it } from 'vitest';

import { copied, drawn, marker } from './words';

const output = (s: string) => ({ is: 'line', line: { n: 1, t: 0, k: 'out', s } }) as const;

it('never passes markup or controls of a game on', () => {
  expect(copied(output('<b>hi</b> \x1b[31mred\x1b[0m'), false)).toBe('<b>hi</b> red');
  expect(drawn(output('a\x1b[2Jb'), false)).toBe('ab\x1b[0m');
});

it('says how many lines are missing and why', () => {
  expect(marker({ is: 'gap', gap: { from: 5, to: 5, why: 'rotated' } })).toContain('1 line no longer kept');
  expect(marker({ is: 'gap', gap: { from: 1, to: 1_200, why: 'slow_reader' } })).toContain('1,200 lines not shown');
});

it('says how long the connection was away', () => {
  const entry = { is: 'resumed', what: 'connection', lostAt: 0, backAt: 31_000, missed: 120 } as const;
  expect(marker(entry)).toMatch(/back after 31 s: 120 lines came meanwhile/);
});
