/**
 * What came of an act, as short sentences at the edge of the page; announced, and gone after some seconds, but not
 * while the pointer or the focus is on it. A notice can offer one thing to do.
 */
import { useEffect, useState } from 'react';

import { Cell, useCell } from '../api/cell';
import { describe } from '../api/problem';
import { Button } from './button';
import { withLocalTimes } from './format';
import { AlertIcon, CheckIcon, KillIcon } from './icons';

interface NoticeAction {
  word: string;
  run: () => void;
}

interface Notice {
  id: number;
  tone: 'good' | 'bad';
  text: string;
  action: NoticeAction | null;
}

const SHOWN_MS = { good: 5_000, bad: 15_000 };
/** Long enough to read, decide and get there. */
const SHOWN_WITH_ACTION_MS = 20_000;
const notices = new Cell<readonly Notice[]>([]);
let counter = 0;

function show(tone: Notice['tone'], text: string, action: NoticeAction | null = null): void {
  counter += 1;
  notices.set([...notices.get().slice(-3), { id: counter, tone, text, action }]);
}

function dismiss(id: number): void {
  notices.set(notices.get().filter((notice) => notice.id !== id));
}

export const notify = {
  done: (text: string, action?: NoticeAction) => show('good', text, action),
  problem: (text: string) => show('bad', text),
  failed: (what: string, error: unknown) => show('bad', `${what} ${withLocalTimes(describe(error), Date.now())}`),
};

export function Notices() {
  const list = useCell(notices);
  return (
    <div className="notices" role="status" aria-live="polite">
      {list.map((notice) => (
        <NoticeBox key={notice.id} notice={notice} />
      ))}
    </div>
  );
}

function NoticeBox({ notice: { id, tone, text, action } }: { notice: Notice }) {
  const [pointer, setPointer] = useState(false);
  const [focus, setFocus] = useState(false);
  const held = pointer || focus;
  const shownMs = action === null ? SHOWN_MS[tone] : SHOWN_WITH_ACTION_MS;
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(() => dismiss(id), shownMs);
    return () => clearTimeout(timer);
  }, [id, shownMs, held]);
  return (
    // The listeners only keep it on the screen; there is nothing to operate.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      className="notice"
      data-tone={tone}
      onPointerEnter={() => setPointer(true)}
      onPointerLeave={() => setPointer(false)}
      onFocus={() => setFocus(true)}
      onBlur={() => setFocus(false)}
    >
      {tone === 'good' ? <CheckIcon /> : <AlertIcon />}
      <p>{text}</p>
      {action !== null && (
        <Button
          className="notice-action"
          onClick={() => {
            dismiss(id);
            action.run();
          }}
        >
          {action.word}
        </Button>
      )}
      <button type="button" className="button notice-close" data-look="quiet" data-compact aria-label="Close" onClick={() => dismiss(id)}>
        <KillIcon />
      </button>
    </div>
  );
}
