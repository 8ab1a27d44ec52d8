/**
 * "Why was my server restarted?": the restarts that NodePanel made by itself, read from a server's activity. Pure.
 */
import type { ActivityEntry } from '../../api/types';

export interface OwnRestart {
  /** When the server ended, in milliseconds since the epoch. */
  at: number;
  /** Why, as a sentence of the node. */
  why: string;
  /** How long it was away, in milliseconds; `null` when it has not been started again. */
  awayMs: number | null;
}

/** The restarts among `entries`, newest first, in whatever order these come. */
export function ownRestarts(entries: readonly ActivityEntry[]): OwnRestart[] {
  const found: OwnRestart[] = [];
  let ended: OwnRestart | null = null;
  for (const entry of [...entries].sort((a, b) => Date.parse(a.at) - Date.parse(b.at) || a.n - b.n)) {
    const at = Date.parse(entry.at);
    if (entry.kind === 'crash') {
      ended = { at, why: entry.text, awayMs: null };
      found.push(ended);
    } else if (entry.kind === 'restart' && entry.automatic) {
      // The crash itself may be older than what is kept.
      if (ended === null) found.push({ at, why: entry.text, awayMs: entry.took_ms ?? null });
      else ended.awayMs = at - ended.at;
      ended = null;
    } else if (entry.kind === 'recovery' && entry.automatic) {
      found.push({ at, why: entry.text, awayMs: entry.took_ms ?? null });
    } else if (entry.kind === 'power') {
      // Somebody has taken it into their own hands.
      ended = null;
    }
  }
  return found.reverse();
}

/** What the owner can do about a reason, and where. */
export function remedy(why: string): { words: string; where: 'settings' | 'console' } | null {
  if (/out of memory/i.test(why)) return { words: 'Give it more memory, or have it use less', where: 'settings' };
  if (/exit code|SIGSEGV|SIGABRT|SIGBUS|SIGILL|SIGFPE/.test(why)) return { words: 'Its last words are in the console', where: 'console' };
  if (why.includes('could not be started')) return { words: 'Check its command and variables', where: 'settings' };
  return null;
}
