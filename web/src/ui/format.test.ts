import { expect, it } from 'vitest';

import { address, bytes, count, duration, millis, percent, withLocalTimes } from './format';

it('writes sizes with three digits at most', () => {
  expect([0, 1_023, 1_024, 1_536, 104_857_600, 5_368_709_120].map(bytes)).toEqual([
    '0 B', '1023 B', '1 KiB', '1.5 KiB', '100 MiB', '5 GiB',
  ]);
  expect(bytes(null)).toBe('–');
});

it('writes durations in two units at most', () => {
  expect([0, 59, 60, 3_600, 7_500, 90_000].map(duration)).toEqual(['0 s', '59 s', '1 min', '1 h', '2 h 5 min', '1 d 1 h']);
  expect([12, 1_500, 61_000].map(millis)).toEqual(['12 ms', '1.5 s', '1 min']);
});

it('brackets IPv6 and counts words', () => {
  expect(address({ address: '::1', port: 25565 })).toBe('[::1]:25565');
  expect(count(1, 'server')).toBe('1 server');
  expect(count(1200, 'server')).toBe('1,200 servers');
  expect(percent(3.25)).toBe('3.3 %');
});

it('shows the times of a sentence on the person’s clock', () => {
  const at = new Date(2026, 10, 22, 10, 0, 34);
  const sentence = `The next try is at ${at.toISOString()}; look at the console.`;
  expect(withLocalTimes(sentence, at.getTime())).toBe('The next try is at 10:00:34; look at the console.');
});
