/** The console as a terminal: xterm.js over the buffer, fed once per frame. */
import '@xterm/xterm/css/xterm.css';

import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { Terminal } from '@xterm/xterm';
import { useEffect, useImperativeHandle, useRef, useState, type Ref } from 'react';

import { useCell } from '../api/cell';
import type { Entry } from '../live/console_link';
import { count } from '../ui/format';
import { DownIcon } from '../ui/icons';
import { effectiveTheme } from '../ui/theme';
import { KEPT, type ConsoleBuffer } from './buffer';
import { openTerminal } from './terminal_styles';
import { TERMINAL_THEMES } from './terminal_theme';
import { drawn, skipped } from './words';

export interface TerminalHandle {
  find: (text: string, back: boolean) => void;
  clearSearch: () => void;
  selection: () => string;
}

interface TerminalViewProps {
  buffer: ConsoleBuffer;
  timestamps: boolean;
  onMatches: (matches: { index: number; count: number } | null) => void;
  ref: Ref<TerminalHandle>;
}

/** How often the number of unseen lines is drawn. */
const UNSEEN_MS = 250;

/** Colours of what the search found. */
const DECORATIONS = {
  matchBackground: '#7d5700',
  activeMatchBackground: '#1c55c4',
  matchOverviewRuler: '#dcaa3c',
  activeMatchColorOverviewRuler: '#79b0ff',
};

export function TerminalView({ buffer, timestamps, onMatches, ref }: TerminalViewProps) {
  const parent = useRef<HTMLDivElement>(null);
  const terminal = useRef<Terminal | null>(null);
  const search = useRef<SearchAddon | null>(null);
  const [unseen, setUnseen] = useState<number | null>(null);
  const theme = useCell(effectiveTheme);

  useEffect(() => {
    if (parent.current === null) return;
    const xterm = new Terminal({
      scrollback: KEPT,
      disableStdin: true,
      // The search addon marks what it found by an API that xterm.js calls proposed.
      allowProposedApi: true,
      convertEol: false,
      cursorInactiveStyle: 'none',
      fontFamily: getComputedStyle(parent.current).fontFamily,
      fontSize: 13,
      lineHeight: 1.25,
      theme: TERMINAL_THEMES[effectiveTheme.get()],
      smoothScrollDuration: 0,
    });
    const fit = new FitAddon();
    const finder = new SearchAddon();
    xterm.loadAddon(fit);
    xterm.loadAddon(finder);
    const removeStyles = openTerminal(xterm, parent.current);
    // The terminal only shows: keys scroll it, everything else (copying, leaving by Tab) stays the browser's.
    xterm.attachCustomKeyEventHandler((event) => {
      if (event.type === 'keydown') scrollByKey(xterm, event.key);
      return false;
    });
    // It takes no input, so it must not ask for any on a phone's keyboard, and is named for screen readers.
    xterm.textarea?.setAttribute('inputmode', 'none');
    xterm.textarea?.setAttribute('aria-label', 'Console output. The text view reads better with a screen reader.');
    const onScroll = xterm.onScroll(() => {
      if (atEnd(xterm)) setUnseen(null);
    });
    const results = finder.onDidChangeResults(({ resultIndex, resultCount }) => {
      onMatches({ index: resultIndex, count: resultCount });
    });
    const observer = new ResizeObserver(() => {
      fit.fit();
    });
    observer.observe(parent.current);
    fit.fit();
    terminal.current = xterm;
    search.current = finder;
    return () => {
      terminal.current = null;
      search.current = null;
      observer.disconnect();
      results.dispose();
      onScroll.dispose();
      xterm.dispose();
      removeStyles();
    };
  }, [onMatches]);

  useEffect(() => {
    if (terminal.current !== null) terminal.current.options.theme = TERMINAL_THEMES[theme];
  }, [theme]);

  useEffect(() => {
    const xterm = terminal.current;
    if (xterm === null) return;
    // In a flood the count would be drawn anew in every frame; a person reads it a few times a second at most.
    let fresh = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = feed(xterm, buffer, timestamps, (lines) => {
      if (atEnd(xterm)) return;
      fresh += lines;
      timer ??= setTimeout(() => {
        timer = undefined;
        const more = fresh;
        fresh = 0;
        if (!atEnd(xterm)) setUnseen((before) => (before ?? 0) + more);
      }, UNSEEN_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [buffer, timestamps]);

  useImperativeHandle(ref, () => ({
    find: (text, back) => {
      const options = { decorations: DECORATIONS, caseSensitive: false };
      if (back) search.current?.findPrevious(text, options);
      else search.current?.findNext(text, options);
    },
    clearSearch: () => search.current?.clearDecorations(),
    selection: () => terminal.current?.getSelection() ?? '',
  }));

  return (
    <div className="terminal">
      <div ref={parent} className="terminal-screen" data-testid="terminal" />
      {unseen !== null && (
        <button
          type="button"
          className="button jump"
          onClick={() => {
            terminal.current?.scrollToBottom();
            setUnseen(null);
          }}
        >
          <DownIcon />
          <span>Jump to newest ({count(unseen, 'new line')})</span>
        </button>
      )}
    </div>
  );
}

/** Draws everything that is there, then what comes, one write at a time. */
function feed(xterm: Terminal, buffer: ConsoleBuffer, timestamps: boolean, onDrawn: (lines: number) => void): () => void {
  let waiting: Entry[] = [];
  /** Lines that were given up because more than the terminal keeps came at once. */
  let left = 0;
  let writing = false;
  let stopped = false;
  // A line end before each line but the first: after the last one there would always be an empty line.
  let lineEnd = '';
  const draw = (): void => {
    if (writing || stopped || waiting.length === 0) return;
    const entries = waiting.slice(-KEPT);
    left += waiting.length - entries.length;
    waiting = [];
    writing = true;
    const mark = left === 0 ? '' : `${lineEnd}${skipped(left)}`;
    if (left > 0) lineEnd = '\r\n';
    left = 0;
    const text = mark + lineEnd + entries.map((entry) => drawn(entry, timestamps)).join('\r\n');
    lineEnd = '\r\n';
    xterm.write(text, () => {
      writing = false;
      if (stopped) return;
      onDrawn(entries.length);
      draw();
    });
  };
  xterm.reset();
  waiting.push(...buffer.entries);
  draw();
  const unsubscribe = buffer.subscribe((fresh, before) => {
    if (before > 0) {
      // What waits is older than what was pushed out: the mark must stand where lines are missing.
      left += before + waiting.length;
      waiting = [];
    }
    waiting.push(...fresh);
    if (waiting.length > KEPT * 2) {
      left += waiting.length - KEPT;
      waiting = waiting.slice(-KEPT);
    }
    draw();
  });
  return () => {
    stopped = true;
    unsubscribe();
  };
}

function atEnd(xterm: Terminal): boolean {
  return xterm.buffer.active.viewportY >= xterm.buffer.active.baseY;
}

function scrollByKey(xterm: Terminal, key: string): void {
  if (key === 'PageUp') xterm.scrollPages(-1);
  else if (key === 'PageDown') xterm.scrollPages(1);
  else if (key === 'ArrowUp') xterm.scrollLines(-1);
  else if (key === 'ArrowDown') xterm.scrollLines(1);
  else if (key === 'Home') xterm.scrollToTop();
  else if (key === 'End') xterm.scrollToBottom();
}
