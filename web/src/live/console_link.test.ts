import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { ConsoleLink, type Entry, type LinkState } from './console_link';

/** A socket whose other end is the test. */
class FakeSocket extends EventTarget {
  static made: FakeSocket[] = [];
  readonly url: string;
  readyState = 0;
  readonly sent: string[] = [];

  constructor(url: string) {
    super();
    this.url = url;
    FakeSocket.made.push(this);
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.readyState = 3;
  }

  says(...frames: object[]): void {
    this.readyState = 1;
    const event = new Event('message') as Event & { data: string };
    event.data = frames.map((frame) => JSON.stringify(frame)).join('\n');
    this.dispatchEvent(event);
  }

  breaks(): void {
    this.readyState = 3;
    this.dispatchEvent(new Event('close'));
  }
}

const line = (n: number): object => ({ n, t: 0, k: 'out', s: `line ${n}` });



function open() {
  const away = { now: false };
  const entries: Entry[] = [];
  const states: LinkState[] = [];
  const link = new ConsoleLink({
    path: '/api/v1/servers/1/console',
    onEntries: (fresh) => entries.push(...fresh),
    onState: (state) => states.push(state),
    isAway: () => away.now,
    openSocket: (url) => new FakeSocket(url) as unknown as WebSocket,
  });
  const numbers = (): number[] => entries.flatMap((entry) => (entry.is === 'line' ? [entry.line.n] : []));
  return { link, away, entries, states, numbers };
}

const socket = (index = -1): FakeSocket => {
  const found = FakeSocket.made.at(index);
  if (found === undefined) throw new Error('no socket was made');
  return found;
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('window', { location: { origin: 'http://panel.test' } });
  vi.stubGlobal('WebSocket', { OPEN: 1 });
  FakeSocket.made = [];
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a lost connection', () => {
  it('is taken up after the last line, at once, and said with what came meanwhile', async () => {
    const { entries, numbers } = open();
    expect(socket().url).toBe('ws://panel.test/api/v1/servers/1/console?tail=1000');
    socket().says({ at: { first: 1, next: 3 } }, line(1), line(2));
    socket().breaks();
    await vi.advanceTimersByTimeAsync(0);
    expect(socket().url).toContain('?after=2');
    socket().says({ at: { first: 1, next: 6 } });
    socket().says(line(3), line(4), line(5));
    expect(numbers()).toEqual([1, 2, 3, 4, 5]);
    expect(entries[2]).toMatchObject({ is: 'resumed', what: 'connection', missed: 3 });
  });

  it('is also one that only fell silent', async () => {
    const { states, numbers } = open();
    socket().says({ at: { first: 1, next: 2 } }, line(1));
    await vi.advanceTimersByTimeAsync(4_900);
    expect(FakeSocket.made).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(FakeSocket.made).toHaveLength(2);
    expect(states.at(-1)).toMatchObject({ is: 'connecting', firstTime: false });
    socket(0).says(line(2));
    expect(numbers()).toEqual([1]);
  });

  it('is tried again with patience while nobody answers', async () => {
    open();
    for (let second = 0; second < 120; second += 1) {
      socket().breaks();
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(FakeSocket.made.length).toBeGreaterThan(20);
    expect(FakeSocket.made.length).toBeLessThan(60);
  });

  it('stays lost once the console is closed', async () => {
    const { link } = open();
    link.close();
    socket().breaks();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.made).toHaveLength(1);
  });
});

it('gives every line once, and gaps as gaps', () => {
  const { entries, numbers } = open();
  socket().says({ at: { first: 1, next: 9 } }, line(1), line(1), { gap: { from: 2, to: 7, why: 'slow_reader' } }, line(8), line(7));
  expect(numbers()).toEqual([1, 8]);
  expect(entries[1]).toEqual({ is: 'gap', gap: { from: 2, to: 7, why: 'slow_reader' } });
});

it('says when the node is lost and back, over a connection that stays', () => {
  const { entries, states } = open();
  socket().says({ at: { first: 1, next: 2 } }, line(1), { state: { connected: false, reason: 'gone' } });
  expect(states.at(-1)).toMatchObject({ is: 'open', node: { connected: false, reason: 'gone' } });
  socket().says({ state: { connected: true, reason: null } }, line(2));
  expect(entries.at(-2)).toMatchObject({ is: 'resumed', what: 'node', missed: null });
});

describe('a command', () => {
  it('is sent again with its key after a reconnection, and only until its fate is known', async () => {
    const { link } = open();
    socket().says({ at: { first: 1, next: 1 } });
    const first = link.send('say hi');
    const sent = JSON.parse(socket().sent[0] ?? '{}') as { command: { key: string; line: string } };
    socket().breaks();
    await vi.advanceTimersByTimeAsync(0);
    socket().says({ at: { first: 1, next: 1 } });
    expect(socket().sent).toEqual([JSON.stringify(sent)]);
    socket().says({ sent: { key: sent.command.key, line: 7 } });
    await expect(first).resolves.toBe(7);
    socket().breaks();
    await vi.advanceTimersByTimeAsync(0);
    socket().says({ at: { first: 1, next: 1 } });
    expect(socket().sent).toEqual([]);
  });

  it('typed before the console is open waits for it', async () => {
    const { link } = open();
    const typed = link.send('early');
    expect(socket().sent).toEqual([]);
    socket().says({ at: { first: 1, next: 1 } });
    expect(socket().sent).toHaveLength(1);
    const { command } = JSON.parse(socket().sent[0] ?? '{}') as { command: { key: string } };
    const problem = { type: 'x', code: 'state-forbids', title: 'No', status: 409, detail: 'It is stopped.' };
    socket().says({ failed: { key: command.key, problem } });
    await expect(typed).rejects.toThrow('It is stopped.');
  });
});

describe('a command for a node that does not answer', () => {
  const refusal = { type: 'x', code: 'node-unreachable', title: 'No', status: 503, detail: 'The node does not answer.', retry_after_s: 2 };
  const keyOf = (sent: string | undefined): string => (JSON.parse(sent ?? '{}') as { command: { key: string } }).command.key;

  it('is sent again under its key until it arrives', async () => {
    const { link } = open();
    socket().says({ at: { first: 1, next: 1 } });
    const held = vi.fn();
    const typed = link.send('patient', held);
    const key = keyOf(socket().sent[0]);
    socket().says({ failed: { key, problem: refusal } });
    expect(held).toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(socket().sent.map(keyOf)).toEqual([key, key]);
    socket().says({ sent: { key, line: 7 } });
    await expect(typed).resolves.toBe(7);
  });

  it('is given back in the end', async () => {
    const { link } = open();
    socket().says({ at: { first: 1, next: 1 } });
    const typed = expect(link.send('in vain')).rejects.toThrow('The node does not answer.');
    const key = keyOf(socket().sent[0]);
    for (let tries = 0; tries <= 30; tries += 1) {
      socket().says({ failed: { key, problem: refusal } });
      await vi.advanceTimersByTimeAsync(2_000);
    }
    await typed;
    expect(socket().sent).toHaveLength(31);
  });
});

describe('while NodePanel is away', () => {
  it('hardly tries, and at once when it is back', async () => {
    const { link, away } = open();
    away.now = true;
    for (let second = 0; second < 60; second += 1) {
      if (socket().readyState !== 3) socket().breaks();
      await vi.advanceTimersByTimeAsync(1_000);
    }
    // By chance it may be trying at this moment: that fails as well.
    if (socket().readyState !== 3) socket().breaks();
    const tries = FakeSocket.made.length;
    expect(tries).toBeLessThan(8);
    away.now = false;
    link.wake();
    expect(FakeSocket.made).toHaveLength(tries + 1);
  });

  it('gives up what hangs since before: a connection that opens, and one that was open', async () => {
    const { link } = open();
    await vi.advanceTimersByTimeAsync(1_000);
    link.wake();
    await vi.advanceTimersByTimeAsync(300);
    expect(FakeSocket.made).toHaveLength(2);
    socket().says({ at: { first: 1, next: 2 } }, line(1));
    await vi.advanceTimersByTimeAsync(2_000);
    link.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(FakeSocket.made).toHaveLength(3);
    expect(socket().url).toContain('?after=1');
  });

  it('keeps a connection that beats', async () => {
    const { link } = open();
    socket().says({ at: { first: 1, next: 2 } }, line(1));
    await vi.advanceTimersByTimeAsync(900);
    link.wake();
    await vi.advanceTimersByTimeAsync(900);
    expect(FakeSocket.made).toHaveLength(1);
  });
});
