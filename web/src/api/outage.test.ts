import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { OutageWatch } from './outage';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function cutOff() {
  const outage = new OutageWatch();
  outage.report({ kind: 'silent' });
  return outage;
}

it('goes on saying who answered in the place of NodePanel while quicker questions get no answer', async () => {
  const outage = cutOff();
  outage.report({ kind: 'foreign', status: 502 });
  await vi.advanceTimersByTimeAsync(5_000);
  outage.report({ kind: 'silent' });
  expect(outage.state.get()).toMatchObject({ is: 'out', cause: { kind: 'foreign', status: 502 } });
  await vi.advanceTimersByTimeAsync(10_000);
  outage.report({ kind: 'silent' });
  expect(outage.state.get()).toMatchObject({ is: 'out', cause: { kind: 'silent' } });
});

it('says at once when a connection is refused, whatever was known', () => {
  const outage = cutOff();
  outage.report({ kind: 'foreign', status: 502 });
  outage.report({ kind: 'network' });
  expect(outage.state.get()).toMatchObject({ is: 'out', cause: { kind: 'network' } });
});

it('lets who sleeps try when NodePanel answered, if only slowly', async () => {
  const outage = cutOff();
  const woken = vi.fn();
  const back = vi.fn();
  outage.onBack(back);
  void outage.sleep(20_000).then(woken);
  const deaf = vi.fn();
  void outage.sleep(20_000, undefined, true).then(deaf);
  outage.answered(3_000);
  await vi.advanceTimersByTimeAsync(0);
  expect(woken).toHaveBeenCalledWith(true);
  expect(deaf).not.toHaveBeenCalled();
  // It is not over: nobody's connection is given up for a new one.
  expect(back).not.toHaveBeenCalled();
  expect(outage.state.get()).toMatchObject({ is: 'out', cause: { kind: 'slow', tookMs: 3_000 } });
});
