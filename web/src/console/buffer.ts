/**
 * A console's newest entries, bounded, and the pace at which they are drawn: readers are told once per frame, however
 * many lines came. What a flood pushes out before it was drawn is never drawn, only counted; it is in the server's log.
 */
import type { Entry } from '../live/console_link';

export const KEPT = 10_000;

/** Is told what came, oldest first, and how many entries before that it is not told of. */
export type Reader = (fresh: readonly Entry[], left: number) => void;

export class ConsoleBuffer {
  readonly #readers = new Set<Reader>();
  readonly #schedule: (run: () => void) => void;
  #entries: Entry[] = [];
  #fresh: Entry[] = [];
  /** How many fresh entries were pushed out before anybody was told. */
  #left = 0;
  #scheduled = false;

  constructor(schedule: (run: () => void) => void = nextFrame) {
    this.#schedule = schedule;
  }

  /** Oldest first. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  push(entries: readonly Entry[]): void {
    this.#entries.push(...entries);
    this.#fresh.push(...entries);
    // Trimmed with slack, so that a flood does not move ten thousand entries for every line.
    if (this.#entries.length > KEPT * 1.5) this.#entries = this.#entries.slice(-KEPT);
    if (this.#fresh.length > KEPT * 1.5) {
      this.#left += this.#fresh.length - KEPT;
      this.#fresh = this.#fresh.slice(-KEPT);
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      this.#tell();
    });
  }

  #tell(): void {
    const fresh = this.#fresh;
    if (fresh.length === 0) return;
    const left = this.#left;
    this.#fresh = [];
    this.#left = 0;
    for (const reader of [...this.#readers]) reader(fresh, left);
  }

  /** Tells `reader` from now on; what came before is in `entries`, and is not told again. */
  subscribe(reader: Reader): () => void {
    this.#tell();
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }
}

/** The next frame, or soon when the tab is hidden and draws none. */
function nextFrame(run: () => void): void {
  if (document.hidden) setTimeout(run, 250);
  else requestAnimationFrame(run);
}
