import { expect, it } from 'vitest';

import { retryAfterMs } from './retry_after';

const NOW = Date.parse('2026-11-22T12:00:00Z');

it.each([
  ['0', 0],
  ['7', 7_000],
  [' 120 ', 120_000],
  ['Sun, 22 Nov 2026 12:00:05 GMT', 5_000],
  ['Sun, 22 Nov 2026 11:59:00 GMT', 0],
  ['Sunday, 22-Nov-26 12:00:03 GMT', 3_000],
  ['Sun Nov 22 12:00:04 2026 GMT', 4_000],
])('reads %j', (header, ms) => expect(retryAfterMs(header, NOW)).toBe(ms));

it.each([null, '', '-1', '1.5', 'soon', '5 s', '2026-11-22', 'Sun, 99 Foo 2026'])('takes %j for nothing', (header) => {
  expect(retryAfterMs(header, NOW)).toBeNull();
});
