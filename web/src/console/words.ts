/** Console entries as text: what the terminal draws, what the text mode shows, what is copied. Pure. */
import type { Entry } from '../live/console_link';
import { count, duration } from '../ui/format';
import { coloured, plain } from './sgr';

const RESET = '\x1b[0m';
const DIM = '\x1b[90m';

/** One entry for the terminal, without a line end. */
export function drawn(entry: Entry, timestamps: boolean): string {
  if (entry.is !== 'line') return `\x1b[33m── ${marker(entry)} ──${RESET}`;
  const { line } = entry;
  const time = timestamps ? `${DIM}${timeOfDay(line.t)} ${RESET}` : '';
  switch (line.k) {
    case 'out':
      return `${time}${coloured(line.s)}${RESET}`;
    case 'in':
      return `${time}\x1b[1;36m> ${plain(line.s)}${RESET}`;
    case 'sys':
      return `${time}\x1b[3;34m● ${plain(line.s)}${RESET}`;
  }
}

/** One entry as plain text: what a person wants in a bug report. */
export function copied(entry: Entry, timestamps: boolean): string {
  if (entry.is !== 'line') return `-- ${marker(entry)} --`;
  const time = timestamps ? `${timeOfDay(entry.line.t)} ` : '';
  return `${time}${entry.line.k === 'in' ? '> ' : ''}${plain(entry.line.s)}`;
}

/** What stands where lines are missing or the connection was lost. */
export function marker(entry: Exclude<Entry, { is: 'line' }>): string {
  if (entry.is === 'gap') {
    const { from, to, why } = entry.gap;
    const lines = count(to - from + 1, 'line');
    return why === 'slow_reader'
      ? `${lines} not shown: they came faster than they could be sent; the log on disk has them`
      : `${lines} no longer kept: the log was rotated`;
  }
  const away = duration((entry.backAt - entry.lostAt) / 1_000);
  if (entry.what === 'node') return `the node did not answer from ${timeOfDay(entry.lostAt)} on, back after ${away}`;
  const missed = entry.missed === null || entry.missed === 0 ? 'no lines came meanwhile' : `${count(entry.missed, 'line')} came meanwhile, here they are`;
  return `connection lost at ${timeOfDay(entry.lostAt)}, back after ${away}: ${missed}`;
}

/** What stands in the terminal where lines came faster than this device draws them. */
export function skipped(lines: number): string {
  return `\x1b[33m── ${count(lines, 'line')} not drawn here: they came faster than this device shows them; the log on disk has them ──${RESET}`;
}

export function timeOfDay(t: number): string {
  return new Date(t).toLocaleTimeString('en-GB');
}
