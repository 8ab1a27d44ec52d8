import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { OutageWatch } from './outage';
import { Probe } from './probe';

type Reply = (signal: AbortSignal) => Promise<Response>;

const session: Reply = () => Promise.resolve(new Response('{}', { headers: { 'content-type': 'application/json' } }));
const signInRequired: Reply = () => {
  const code = 'sign-in-required';
  const body = JSON.stringify({ type: `urn:nodepanel:problem:${code}`, code, title: '', status: 401, detail: '' });
  return Promise.resolve(new Response(body, { status: 401, headers: { 'content-type': 'application/problem+json' } }));
};
const foreign: Reply = () => Promise.resolve(new Response('<html>', { status: 502, headers: { 'content-type': 'text/html' } }));
const refused: Reply = () => Promise.reject(new TypeError('Failed to fetch'));
const after = (ms: number): Reply => (signal) =>
  new Promise((resolve, reject) => {
    setTimeout(() => void session(signal).then(resolve), ms);
    signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
  });
const hang = after(10_000_000);

/** A probe that meets what `world.reply` is at the time. */
function started(reply: Reply, hidden = false) {
  const world = { reply, asked: [] as number[], underWay: 0, most: 0 };
  const outage = new OutageWatch();
  const probe = new Probe({
    outage,
    hidden: () => hidden,
    online: () => true,
    random: () => 0.5,
    ask: (signal) => {
      world.asked.push(Date.now());
      world.underWay += 1;
      world.most = Math.max(world.most, world.underWay);
      return world.reply(signal).finally(() => (world.underWay -= 1));
    },
  });
  return { world, outage, probe };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('asks nothing while all is well', async () => {
  const { world } = started(session);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(world.asked).toHaveLength(0);
});

describe.each([
  ['refuses connections', refused],
  ['accepts and never answers', hang],
  ['has a proxy that answers in its place', foreign],
] as [string, Reply][])('NodePanel, which %s for a minute,', (_, away) => {
  it.each([0, 150, 300, 450, 600])('is known to be back within a second (%i ms)', async (phase) => {
    const { world, outage } = started(away);
    outage.report({ kind: 'network' });
    await vi.advanceTimersByTimeAsync(60_000 + phase);
    expect(outage.state.get().is).toBe('out');
    expect(world.most).toBeLessThanOrEqual(2);
    expect(world.asked.length).toBeLessThan(150);
    world.reply = session;
    await vi.advanceTimersByTimeAsync(900);
    expect(outage.state.get().is).toBe('ok');
    const asked = world.asked.length;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(world.asked).toHaveLength(asked);
  });
});

it('takes any word of NodePanel for life, also that nobody is signed in', async () => {
  const { outage } = started(signInRequired);
  outage.report({ kind: 'silent' });
  await vi.advanceTimersByTimeAsync(100);
  expect(outage.state.get().is).toBe('ok');
});

it('finds out that NodePanel answers slowly, and when it no longer does', async () => {
  const { world, outage } = started(after(20_000));
  outage.report({ kind: 'silent' });
  await vi.advanceTimersByTimeAsync(21_000);
  expect(outage.state.get()).toMatchObject({ is: 'out', cause: { kind: 'slow', tookMs: 20_000 } });
  world.reply = session;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(outage.state.get().is).toBe('ok');
});

it('asks seldom while nobody looks, and at once when somebody does', async () => {
  const { world, outage, probe } = started(refused, true);
  outage.report({ kind: 'network' });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(world.asked.length).toBeLessThan(30);
  const asked = world.asked.length;
  world.reply = session;
  probe.hurry();
  await vi.advanceTimersByTimeAsync(0);
  expect(world.asked.length).toBeGreaterThan(asked);
  expect(outage.state.get().is).toBe('ok');
});

describe('a suspicion', () => {
  it('is an outage when nobody answers soon', async () => {
    const { outage, probe } = started(hang);
    probe.suspect();
    await vi.advanceTimersByTimeAsync(650);
    expect(outage.state.get()).toMatchObject({ is: 'out', cause: { kind: 'silent' } });
  });

  it('is nothing when NodePanel answers', async () => {
    const { world, outage, probe } = started(session);
    probe.suspect();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(outage.state.get()).toEqual({ is: 'ok', lastOutage: null });
    expect(world.asked).toHaveLength(1);
  });
});
