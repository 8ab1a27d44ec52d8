/**
 * A console's connection: gives every line once and in order, however often the socket is lost. It remembers the number
 * of the last line and asks for what comes after it; what cannot be had any more arrives as a gap, never as silence.
 *
 * ```text
 *   connecting ──first message──▶ open ──(close, or nothing for 5 s)──▶ connecting (at once, then with back-off)
 * ```
 *
 * While NodePanel is known to be away it hardly tries, because browsers make those who fail often wait; `wake` says that it
 * is back.
 *
 * Commands carry a key each and are sent again with it until their fate is known, after a reconnection and while the node
 * does not answer, so that a typed line reaches the game once. Draws nothing.
 */
import { delayMs } from '../api/backoff';
import { newKey } from '../api/idempotency';
import { ProblemError } from '../api/problem';
import type { ConsoleFrame, ConsoleLine, Gap, Problem } from '../api/types';

export const FIRST_LINES = 1_000;
const BEAT_GRACE_MS = 5_000;
const OPEN_MS = 4_000;
/** Consoles beat once a second; one that has been silent for longer when NodePanel is back died in the outage. */
const BEAT_LATE_MS = 1_500;
/** How long a connection that was begun before NodePanel came back may still take. */
const AFTER_BACK_MS = 250;
/** How long a command waits for a node that does not answer, and for how long between two tries unless it is told. */
const NODE_PATIENCE_MS = 60_000;
const NODE_RETRY_S = 2;
/** Between two tries while NodePanel is away, should nobody say that it is back. */
const AWAY_MS = 15_000;

export type LinkState =
  | { is: 'connecting'; since: number; firstTime: boolean }
  | { is: 'open'; node: { connected: boolean; reason: string | null } };

export type Entry =
  | { is: 'line'; line: ConsoleLine }
  | { is: 'gap'; gap: Gap }
  /** `missed` is `null` when it is not known how many lines came meanwhile. */
  | { is: 'resumed'; what: 'connection' | 'node'; lostAt: number; backAt: number; missed: number | null };

export interface ConsoleLinkParts {
  /** `/api/v1/servers/{id}/console` or `…/install/console`. */
  path: string;
  onEntries: (entries: Entry[]) => void;
  onState: (state: LinkState) => void;
  /** Whether NodePanel is known to be away. */
  isAway?: () => boolean;
  openSocket?: (url: string) => WebSocket;
}

interface Waiting {
  line: string;
  resolve: (line: number | null) => void;
  reject: (error: ProblemError) => void;
  onHeld: () => void;
  /** When the node first did not take it. */
  heldSince: number | null;
}

export class ConsoleLink {
  readonly #parts: ConsoleLinkParts;
  readonly #waiting = new Map<string, Waiting>();
  #socket: WebSocket | null = null;
  #last: number | null = null;
  #lostAt: number | null = null;
  #attempt = 0;
  #open = false;
  #nodeLostAt: number | null = null;
  #node: { connected: boolean; reason: string | null } = { connected: true, reason: null };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heardAt = 0;
  /** When the present socket counts as lost unless something comes. */
  #patienceEnds = 0;
  #closed = false;
  /** Keys of the commands that went out on the present socket. */
  readonly #sentHere = new Set<string>();

  constructor(parts: ConsoleLinkParts) {
    this.#parts = parts;
    this.#parts.onState({ is: 'connecting', since: Date.now(), firstTime: true });
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  /** NodePanel is back: tries now, and no longer on a connection that has been silent since before. */
  wake(): void {
    if (this.#closed) return;
    const socket = this.#socket;
    clearTimeout(this.#timer);
    if (socket === null) this.#connect();
    else if (!this.#open) this.#watch(socket, AFTER_BACK_MS);
    else if (Date.now() - this.#heardAt > BEAT_LATE_MS) this.#lost(socket);
    else this.#watch(socket, BEAT_GRACE_MS);
  }

  /**
   * Types a line. Resolves with the number under which it appears, once the node has it. `onHeld` is told when the node does
   * not answer, and the line waits for it.
   *
   * @throws ProblemError it was refused, or the node did not answer for too long
   */
  send(line: string, onHeld: () => void = () => undefined): Promise<number | null> {
    return new Promise((resolve, reject) => {
      const key = newKey();
      this.#waiting.set(key, { line, resolve, reject, onHeld, heldSince: null });
      this.#sendCommand(key, line);
    });
  }

  #connect(): void {
    const from = this.#last === null ? `tail=${FIRST_LINES}` : `after=${this.#last}`;
    const base = window.location.origin.replace(/^http/, 'ws');
    const open = this.#parts.openSocket ?? ((url: string) => new WebSocket(url));
    const socket = open(`${base}${this.#parts.path}?${from}`);
    this.#socket = socket;
    this.#open = false;
    this.#sentHere.clear();
    this.#watch(socket, OPEN_MS);
    socket.addEventListener('message', (event) => {
      if (this.#socket === socket) this.#receive(String(event.data));
    });
    socket.addEventListener('close', () => this.#lost(socket));
    socket.addEventListener('error', () => this.#lost(socket));
  }

  /** Only moves the end of the patience when a message comes: a flood would otherwise set thousands of timers. */
  #watch(socket: WebSocket, ms: number): void {
    clearTimeout(this.#timer);
    this.#patienceEnds = Date.now() + ms;
    const look = (): void => {
      const left = this.#patienceEnds - Date.now();
      if (left > 0) this.#timer = setTimeout(look, left);
      else this.#lost(socket);
    };
    this.#timer = setTimeout(look, ms);
  }

  #lost(socket: WebSocket): void {
    if (this.#closed || this.#socket !== socket) return;
    this.#socket = null;
    socket.close();
    this.#lostAt ??= Date.now();
    this.#parts.onState({ is: 'connecting', since: this.#lostAt, firstTime: this.#last === null });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), this.#pauseMs());
    this.#attempt += 1;
  }

  #pauseMs(): number {
    if (this.#attempt === 0) return 0;
    const away = this.#parts.isAway?.() ?? false;
    return away ? AWAY_MS * (0.75 + Math.random() / 2) : delayMs(this.#attempt, Math.random());
  }

  #receive(text: string): void {
    this.#heardAt = Date.now();
    this.#patienceEnds = this.#heardAt + BEAT_GRACE_MS;
    const wasOpen = this.#open;
    this.#open = true;
    const entries: Entry[] = [];
    for (const piece of text.split('\n')) {
      if (piece === '') continue;
      let frame: ConsoleFrame;
      try {
        frame = JSON.parse(piece) as ConsoleFrame;
      } catch {
        continue;
      }
      this.#frame(frame, entries);
    }
    if (!wasOpen) this.#opened();
    if (entries.length > 0) this.#parts.onEntries(entries);
  }

  #frame(frame: ConsoleFrame, entries: Entry[]): void {
    if ('n' in frame) {
      if (this.#last !== null && frame.n <= this.#last) return;
      this.#last = frame.n;
      entries.push({ is: 'line', line: frame });
    } else if ('gap' in frame) {
      this.#last = Math.max(this.#last ?? 0, frame.gap.to);
      entries.push({ is: 'gap', gap: frame.gap });
    } else if ('at' in frame) {
      this.#resumed(frame.at.next, entries);
    } else if ('state' in frame) {
      this.#nodeState(frame.state, entries);
    } else if ('sent' in frame) {
      this.#waiting.get(frame.sent.key)?.resolve(frame.sent.line);
      this.#waiting.delete(frame.sent.key);
    } else if ('failed' in frame) {
      this.#failed(frame.failed.key, frame.failed.problem);
    }
  }

  /** A busy node may not answer for a moment. The key makes another try harmless even if this one has arrived. */
  #failed(key: string, problem: Problem): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    waiting.heldSince ??= Date.now();
    if (problem.code !== 'node-unreachable' || Date.now() - waiting.heldSince >= NODE_PATIENCE_MS) {
      this.#waiting.delete(key);
      waiting.reject(new ProblemError(problem));
      return;
    }
    waiting.onHeld();
    const again = (): void => {
      if (!this.#closed && this.#waiting.has(key)) this.#sendCommand(key, waiting.line);
    };
    setTimeout(again, (problem.retry_after_s ?? NODE_RETRY_S) * 1_000);
  }

  #opened(): void {
    this.#attempt = 0;
    this.#parts.onState({ is: 'open', node: this.#node });
    for (const [key, { line }] of this.#waiting) {
      if (!this.#sentHere.has(key)) this.#sendCommand(key, line);
    }
  }

  /** The first `at` after a loss: says how many lines came meanwhile. */
  #resumed(next: number, entries: Entry[]): void {
    if (this.#lostAt !== null && this.#last !== null) {
      const missed = Math.max(0, next - 1 - this.#last);
      entries.push({ is: 'resumed', what: 'connection', lostAt: this.#lostAt, backAt: Date.now(), missed });
    }
    this.#lostAt = null;
  }

  #nodeState(node: { connected: boolean; reason: string | null }, entries: Entry[]): void {
    if (!node.connected) this.#nodeLostAt ??= Date.now();
    else if (this.#nodeLostAt !== null) {
      entries.push({ is: 'resumed', what: 'node', lostAt: this.#nodeLostAt, backAt: Date.now(), missed: null });
      this.#nodeLostAt = null;
    }
    this.#node = node;
    if (this.#open && this.#attempt === 0) this.#parts.onState({ is: 'open', node });
  }

  #sendCommand(key: string, line: string): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#sentHere.add(key);
    this.#socket.send(JSON.stringify({ command: { line, key } }));
  }
}
