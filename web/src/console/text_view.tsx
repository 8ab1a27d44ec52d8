/**
 * The console as text: lines that wrap, can be selected by touch and read by a screen reader. Shows the newest lines
 * and takes in new ones a few times a second; floods are not announced.
 */
import { useEffect, useLayoutEffect, useRef, useState } from 'react';

import type { Entry } from '../live/console_link';
import { DownIcon } from '../ui/icons';
import type { ConsoleBuffer } from './buffer';
import { plain } from './sgr';
import { marker, timeOfDay } from './words';

const PAUSE_MS = 200;
const STEP = 300;

interface Line {
  key: number;
  entry: Entry;
}

export function TextView({ buffer, timestamps, find }: { buffer: ConsoleBuffer; timestamps: boolean; find: string }) {
  const [lines, setLines] = useState<readonly Line[]>([]);
  const [shown, setShown] = useState(STEP);
  const [following, setFollowing] = useState(true);
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    let next = 0;
    let all: Line[] = [];
    const add = (entries: readonly Entry[]): void => {
      all = [...all, ...entries.map((entry) => ({ key: next++, entry }))].slice(-10_000);
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = (): void => {
      timer = undefined;
      setLines(all);
    };
    add(buffer.entries);
    show();
    const unsubscribe = buffer.subscribe((fresh) => {
      add(fresh);
      timer ??= setTimeout(show, PAUSE_MS);
    });
    return () => {
      clearTimeout(timer);
      unsubscribe();
    };
  }, [buffer]);

  const needle = find.toLowerCase();
  const fitting = needle === '' ? lines : lines.filter(({ entry }) => text(entry).toLowerCase().includes(needle));
  const visible = fitting.slice(-shown);

  useLayoutEffect(() => {
    if (following && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, following]);

  return (
    <div className="terminal">
      <div
        className="text-view"
        ref={box}
        role="log"
        aria-live="off"
        aria-label="Console output"
        // A box that scrolls must be reachable by keyboard.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          setFollowing(scrollHeight - scrollTop - clientHeight < 40);
        }}
      >
        {fitting.length > visible.length && (
          <button type="button" className="button" onClick={() => setShown(shown + STEP)}>
            Show older lines
          </button>
        )}
        {visible.map(({ key, entry }) => (
          <div key={key} className="text-line" data-kind={entry.is === 'line' ? entry.line.k : 'marker'}>
            {timestamps && entry.is === 'line' && <time>{timeOfDay(entry.line.t)} </time>}
            {text(entry)}
          </div>
        ))}
      </div>
      {!following && (
        <button type="button" className="button jump" onClick={() => setFollowing(true)}>
          <DownIcon />
          <span>Jump to newest</span>
        </button>
      )}
    </div>
  );
}

function text(entry: Entry): string {
  if (entry.is !== 'line') return marker(entry);
  const words = plain(entry.line.s);
  return entry.line.k === 'in' ? `> ${words}` : words;
}
