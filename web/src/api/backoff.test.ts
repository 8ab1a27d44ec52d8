import { describe, expect, it } from 'vitest';

import { LAST_MS, askedDelayMs, delayMs } from './backoff';

describe('the pause between tries', () => {
  it('grows, and stays between half of its length and all of it', () => {
    let before = 0;
    for (let attempt = 1; attempt <= 6; attempt += 1) {
      const [least, most] = [delayMs(attempt, 0), delayMs(attempt, 1)];
      expect(Math.abs(least * 2 - most)).toBeLessThanOrEqual(1);
      expect(most).toBeGreaterThan(before);
      before = most;
    }
  });

  it('has a cap, however long the outage', () => {
    for (const attempt of [10, 100, 1_000, 1_000_000]) {
      expect(delayMs(attempt, 0)).toBe(LAST_MS / 2);
      expect(delayMs(attempt, 1)).toBe(LAST_MS);
    }
  });

  it('begins with the first try, whatever is counted', () => {
    expect(delayMs(0, 0.5)).toBe(delayMs(1, 0.5));
    expect(delayMs(1, 0)).toBeGreaterThan(0);
  });
});

it('is never shorter than what NodePanel asked for, and at most a second longer', () => {
  for (const after of [0, 300, 2_000, 60_000]) {
    for (const random of [0, 0.3, 0.999]) {
      expect(askedDelayMs(after, random)).toBeGreaterThanOrEqual(after);
      expect(askedDelayMs(after, random)).toBeLessThanOrEqual(after + Math.min(1_000, after / 4));
    }
  }
});
