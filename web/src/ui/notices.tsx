/** What came of an act, as short sentences at the edge of the page; announced, and gone after some seconds. */
import { Cell, useCell } from '../api/cell';
import { describe } from '../api/problem';
import { AlertIcon, CheckIcon, KillIcon } from './icons';

interface Notice {
  id: number;
  tone: 'good' | 'bad';
  text: string;
}

const SHOWN_MS = { good: 5_000, bad: 15_000 };
const notices = new Cell<readonly Notice[]>([]);
let counter = 0;

function show(tone: Notice['tone'], text: string): void {
  counter += 1;
  const id = counter;
  notices.set([...notices.get().slice(-3), { id, tone, text }]);
  setTimeout(() => dismiss(id), SHOWN_MS[tone]);
}

function dismiss(id: number): void {
  notices.set(notices.get().filter((notice) => notice.id !== id));
}

export const notify = {
  done: (text: string) => show('good', text),
  failed: (what: string, error: unknown) => show('bad', `${what} ${describe(error)}`),
};

export function Notices() {
  const list = useCell(notices);
  return (
    <div className="notices" role="status" aria-live="polite">
      {list.map(({ id, tone, text }) => (
        <div key={id} className="notice" data-tone={tone}>
          {tone === 'good' ? <CheckIcon /> : <AlertIcon />}
          <p>{text}</p>
          <button type="button" className="button" data-look="quiet" data-compact aria-label="Close" onClick={() => dismiss(id)}>
            <KillIcon />
          </button>
        </div>
      ))}
    </div>
  );
}
