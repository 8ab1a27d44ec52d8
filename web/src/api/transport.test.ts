import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { OutageWatch } from './outage';
import { GaveUpError, ProblemError, SessionEndedError } from './problem';
import { Transport, type Progress } from './transport';

type Reply = (request: Request) => Promise<Response> | Response;

const json = (body: unknown, status = 200): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });

const problem = (code: string, status: number, extra: object = {}): Response =>
  new Response(JSON.stringify({ type: `urn:nodepanel:problem:${code}`, code, title: code, status, detail: `${code}.`, ...extra }), {
    status,
    headers: { 'content-type': 'application/problem+json' },
  });

const html = (status: number): Response =>
  new Response('<html>Bad Gateway</html>', { status, headers: { 'content-type': 'text/html' } });

const refused: Reply = () => Promise.reject(new TypeError('Failed to fetch'));

const hang: Reply = (request) =>
  new Promise((_, reject) => {
    request.signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
  });

/** A transport whose fetch gives the replies in order, the last one for ever. */
function scripted(...replies: Reply[]) {
  const seen: { key: string | null; body: string; at: number }[] = [];
  const ended = vi.fn();
  const outage = new OutageWatch();
  const transport = new Transport({
    outage,
    onSessionEnded: ended,
    random: () => 0.5,
    online: () => true,
    fetch: async (request) => {
      const reply = replies[Math.min(seen.length, replies.length - 1)];
      const key = request.headers.get('idempotency-key');
      seen.push({ key, body: await request.clone().text(), at: Date.now() });
      return reply === undefined ? Response.error() : reply(request);
    },
  });
  return { transport, seen, ended, outage };
}

const get = (signal?: AbortSignal): Request =>
  new Request('http://panel.test/api/v1/servers', signal ? { signal } : {});

const post = (key: string | null = 'key-1'): Request =>
  new Request('http://panel.test/api/v1/servers/1/power', {
    method: 'POST',
    body: '{"action":"start"}',
    headers: { 'content-type': 'application/json', ...(key === null ? {} : { 'Idempotency-Key': key }) },
  });

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** Settles a promise under fake timers. */
async function settled<T>(promise: Promise<T>, ms = 600_000): Promise<T> {
  promise.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(ms);
  return promise;
}

describe('the end of the session', () => {
  it('is the code session-ended and nothing else', async () => {
    const { transport, ended } = scripted(() => problem('session-ended', 401));
    await expect(settled(transport.send(get()))).rejects.toBeInstanceOf(SessionEndedError);
    expect(ended).toHaveBeenCalledOnce();
  });

  it.each([
    ["a proxy's 401 in HTML", () => html(401)],
    ["a proxy's 401 in JSON", () => json({ error: 'unauthorized' }, 401)],
    ['a 403 page', () => html(403)],
    ['a 502 page', () => html(502)],
    ['a captive portal that answers 200', () => html(200)],
    ['a redirect to a sign-in of somebody else', () => new Response(null, { status: 302, headers: { location: '/sso' } })],
    ['a problem document of somebody else', () => new Response('{"type":"about:blank","code":"session-ended"}', { status: 401, headers: { 'content-type': 'application/problem+json' } })],
    ['a refused connection', refused],
  ] as [string, Reply][])('is not %s', async (_, reply) => {
    const { transport, ended, seen, outage } = scripted(reply, reply, () => json({ items: [] }));
    const response = await settled(transport.send(get()), 5_000);
    expect(await response.json()).toEqual({ items: [] });
    expect(seen).toHaveLength(3);
    expect(ended).not.toHaveBeenCalled();
    expect(outage.state.get().is).toBe('ok');
  });

  it('is not a missing cookie: the caller is told, the page decides', async () => {
    const { transport, ended } = scripted(() => problem('sign-in-required', 401));
    await expect(settled(transport.send(get()))).rejects.toMatchObject({ problem: { code: 'sign-in-required' } });
    expect(ended).not.toHaveBeenCalled();
  });
});

describe('an outage', () => {
  it('is known within two seconds when nobody answers', async () => {
    const { transport, outage } = scripted(hang);
    const abort = new AbortController();
    const request = transport.send(get(abort.signal));
    request.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(1_900);
    expect(outage.state.get()).toMatchObject({ is: 'out', cause: { kind: 'silent' } });
    abort.abort();
    await expect(request).rejects.toThrow();
  });

  it('is not one slow request while the rest of NodePanel answers', async () => {
    const { transport, outage } = scripted(hang);
    const abort = new AbortController();
    transport.send(get(abort.signal)).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(1_000);
    outage.signOfLife();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(outage.state.get().is).toBe('ok');
    abort.abort();
  });

  it('gives up a connection that hangs while others work, and asks on a new one', async () => {
    const { transport, seen, outage } = scripted(hang, () => json({ ok: true }));
    const request = transport.send(get());
    await vi.advanceTimersByTimeAsync(1_000);
    outage.signOfLife();
    const response = await settled(request, 4_000);
    expect(await response.json()).toEqual({ ok: true });
    expect(seen).toHaveLength(2);
    expect(outage.state.get()).toEqual({ is: 'ok', lastOutage: null });
  });

  it('is left to the probe once nobody answers, so that no connection is taken from it', async () => {
    const { transport, seen, outage } = scripted(hang, () => json({ ok: true }));
    const request = transport.send(get());
    await vi.advanceTimersByTimeAsync(14_000);
    expect(seen).toHaveLength(1);
    outage.signOfLife();
    await settled(request, 0);
    expect(seen).toHaveLength(2);
  });

  it('wakes everybody who waits when NodePanel is heard again', async () => {
    const { transport, seen, outage } = scripted(refused, refused, refused, refused, refused, refused, () => json(1));
    const request = transport.send(get());
    await vi.advanceTimersByTimeAsync(3_000);
    const before = seen.length;
    outage.signOfLife();
    await vi.advanceTimersByTimeAsync(0);
    expect(seen.length).toBe(before + 1);
    await settled(request);
  });

  it('tries reads again for as long as it takes, without hurry, because the probe asks for all', async () => {
    const { transport, seen } = scripted(refused);
    const abort = new AbortController();
    transport.send(get(abort.signal)).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(seen.length).toBeGreaterThanOrEqual(5);
    expect(seen.length).toBeLessThan(10);
    const before = seen.length;
    abort.abort();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(seen).toHaveLength(before);
  });
});

describe('the end of an outage', () => {
  it('lets nobody hang on a connection that died in it', async () => {
    const { transport, seen, outage } = scripted(hang, () => json({ ok: true }));
    const request = transport.send(get());
    await vi.advanceTimersByTimeAsync(1_500);
    expect(outage.state.get().is).toBe('out');
    outage.signOfLife();
    await vi.advanceTimersByTimeAsync(300);
    expect(await (await request).json()).toEqual({ ok: true });
    expect(seen).toHaveLength(2);
    expect(outage.state.get().is).toBe('ok');
  });

  it('repeats a keyed write that hangs with its key, and leaves one without a key alone', async () => {
    const keyed = scripted(hang, () => json({ done: true }));
    const request = keyed.transport.send(post());
    await vi.advanceTimersByTimeAsync(1_500);
    keyed.outage.signOfLife();
    await settled(request, 300);
    expect(keyed.seen.map(({ key }) => key)).toEqual(['key-1', 'key-1']);

    const bare = scripted(hang);
    bare.transport.send(post(null)).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(1_500);
    bare.outage.signOfLife();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(bare.seen).toHaveLength(1);
  });

  it('is not an answer that took long: NodePanel is slow then, and attempts get the time they need', async () => {
    const slow: Reply = (request) =>
      new Promise((resolve, reject) => {
        setTimeout(() => resolve(json({ ok: true })), 20_000);
        request.signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      });
    const { transport, outage } = scripted(slow);
    const request = transport.send(get());
    request.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(2_000);
    // The probe's patient question found out.
    outage.answered(20_000);
    expect(outage.state.get()).toMatchObject({ is: 'out', cause: { kind: 'slow', tookMs: 20_000 } });
    const response = await settled(request, 60_000);
    expect(await response.json()).toEqual({ ok: true });
    expect(outage.state.get()).toMatchObject({ is: 'out', cause: { kind: 'slow' } });
  });

  it('wakes nobody again and again whose own request is what fails', async () => {
    const { transport, seen, outage } = scripted(() => html(502));
    const abort = new AbortController();
    transport.send(get(abort.signal)).catch(() => undefined);
    // Everything else works: signs of life come all the time.
    for (let tick = 0; tick < 300; tick += 1) {
      await vi.advanceTimersByTimeAsync(100);
      outage.signOfLife();
    }
    expect(seen.length).toBeLessThan(20);
    abort.abort();
  });
});

describe('what NodePanel asks for by Retry-After', () => {
  const asking = (code: string, headers: Record<string, string>, extra: object = {}): Reply => () => {
    const response = problem(code, 503, extra);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  };

  it.each([
    ['in seconds', asking('overloaded', { 'retry-after': '3' })],
    ['as a date', asking('overloaded', { 'retry-after': 'Sun, 22 Nov 2026 12:00:03 GMT' })],
    ['in the problem', asking('overloaded', {}, { retry_after_s: 3 })],
  ])('is waited for, %s, also by reads and whatever else is heard', async (_, busy) => {
    vi.setSystemTime('2026-11-22T12:00:00Z');
    const { transport, seen, outage } = scripted(busy, () => json({ ok: true }));
    const request = transport.send(get());
    await vi.advanceTimersByTimeAsync(1_500);
    outage.signOfLife();
    await vi.advanceTimersByTimeAsync(1_400);
    expect(seen).toHaveLength(1);
    await settled(request, 2_000);
    expect(seen).toHaveLength(2);
    expect((seen[1]?.at ?? 0) - (seen[0]?.at ?? 0)).toBeLessThanOrEqual(3_750);
  });

  it('is short while no API server is ready, and over when one answers', async () => {
    const { transport, seen, outage } = scripted(asking('not-ready', { 'retry-after': '1' }), () => json({ ok: true }));
    const request = transport.send(get());
    await vi.advanceTimersByTimeAsync(100);
    outage.signOfLife();
    await settled(request, 10);
    expect(seen).toHaveLength(2);
  });

  it('is not believed for an hour when only a proxy says it', async () => {
    const proxy = (): Response => new Response('<html>', { status: 503, headers: { 'content-type': 'text/html', 'retry-after': '3600' } });
    const { transport, seen } = scripted(proxy, () => json({ ok: true }));
    await settled(transport.send(get()), 7_000);
    expect(seen).toHaveLength(2);
  });

  it('ends a write that cannot wait that long, and says that nothing was changed', async () => {
    const { transport, seen } = scripted(asking('overloaded', { 'retry-after': '60' }));
    const request = transport.send(post(), { patienceMs: 15_000 });
    await expect(settled(request, 1_000)).rejects.toMatchObject({ name: 'GaveUpError', uncertain: false });
    expect(seen).toHaveLength(1);
  });
});

describe('a write', () => {
  it('is repeated with the same key and body, and says that it finds out', async () => {
    const { transport, seen } = scripted(refused, () => html(502), hang, () => json({ done: true }));
    const progress: Progress[] = [];
    await settled(transport.send(post(), { onProgress: (step) => progress.push(step) }));
    expect(new Set(seen.map((request) => request.key))).toEqual(new Set(['key-1']));
    expect(new Set(seen.map((request) => request.body))).toEqual(new Set(['{"action":"start"}']));
    expect(seen).toHaveLength(4);
    expect(progress[0]).toBe('sending');
    expect(progress).toContain('finding-out');
  });

  it('without a key is sent once, and its fate is said to be unknown', async () => {
    const { transport, seen } = scripted(refused);
    await expect(settled(transport.send(post(null)))).rejects.toMatchObject({ name: 'GaveUpError', uncertain: true });
    expect(seen).toHaveLength(1);
  });

  it('without a key that was refused for now tells why in the words of NodePanel', async () => {
    const { transport, seen } = scripted(() => problem('overloaded', 503, { retry_after_s: 30 }));
    await expect(transport.send(post(null))).rejects.toMatchObject({ problem: { code: 'overloaded', retry_after_s: 30 } });
    expect(seen).toHaveLength(1);
  });

  it('of somebody who asks too often is answered, and neither repeated nor called an outage', async () => {
    const { transport, seen, outage } = scripted(() => problem('too-many-requests', 429, { retry_after_s: 30 }));
    await expect(transport.send(post('key'))).rejects.toMatchObject({ problem: { code: 'too-many-requests' } });
    expect(seen).toHaveLength(1);
    expect(outage.state.get().is).not.toBe('out');
  });

  it('that is still being worked on is asked for until there is a result', async () => {
    const { transport, seen, outage } = scripted(
      () => problem('key-in-progress', 409),
      () => problem('key-in-progress', 409),
      () => json({ done: true }, 202),
    );
    const response = await settled(transport.send(post()), 5_000);
    expect(response.status).toBe(202);
    expect(seen).toHaveLength(3);
    expect(outage.state.get()).toEqual({ is: 'ok', lastOutage: null });
  });

  it('of unknown outcome is resolved through its key', async () => {
    const { transport, seen } = scripted(() => problem('outcome-unknown', 504), () => json({ done: true }));
    await settled(transport.send(post()), 5_000);
    expect(seen).toHaveLength(2);
  });

  it('that met a failing disk is made under its key when the disk takes it', async () => {
    const { transport, seen, outage } = scripted(
      () => problem('outcome-unknown', 504),
      () => problem('disk-failing', 503, { retry_after_s: 1 }),
      () => json({ done: true }),
    );
    await settled(transport.send(post()), 5_000);
    expect(seen).toHaveLength(3);
    expect(outage.state.get().is).toBe('ok');
  });

  it('waits as long as NodePanel says, and does not call that an outage', async () => {
    const { transport, seen, outage } = scripted(
      () => problem('store-unavailable', 503, { retry_after_s: 2 }),
      () => json({ done: true }),
    );
    const request = transport.send(post());
    await vi.advanceTimersByTimeAsync(1_900);
    expect(seen).toHaveLength(1);
    expect(outage.state.get().is).toBe('ok');
    await settled(request, 2_000);
    expect(seen).toHaveLength(2);
  });

  it('is not sent hours later: patience ends', async () => {
    const { transport } = scripted(refused);
    await expect(settled(transport.send(post()))).rejects.toBeInstanceOf(GaveUpError);
  });

  it.each([
    ['state-forbids', 409],
    ['invalid', 422],
    ['node-unreachable', 503],
    ['disk-full', 507],
    ['node-disk-failing', 503],
    ['internal', 500],
  ])('that is refused with %s is not repeated', async (code, status) => {
    const { transport, seen } = scripted(() => problem(code, status));
    await expect(settled(transport.send(post()))).rejects.toBeInstanceOf(ProblemError);
    expect(seen).toHaveLength(1);
  });
});
