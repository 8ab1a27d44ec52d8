/** Where commands are typed. What was sent and is not yet known to have arrived is shown until it is. */
import { useRef, useState } from 'react';

import { describe } from '../api/problem';
import { Button } from '../ui/button';
import { useDraft } from '../ui/draft';
import { withLocalTimes } from '../ui/format';
import { BusyIcon } from '../ui/icons';
import { CommandInput } from './command_input';
import { readHistory, remember } from './history';

interface CommandLineProps {
  server: string;
  connected: boolean;
  /** Why nothing can be typed. */
  disabledReason: string | null;
  /** Commands that the template knows of. */
  completions: readonly string[];
  send: (line: string, onHeld: () => void) => Promise<unknown>;
}

export function CommandLine({ server, connected, disabledReason, completions, send }: CommandLineProps) {
  const [draft, change, clear] = useDraft(`command.${server}`, { line: '' });
  const [waiting, setWaiting] = useState<{ key: number; line: string; held: boolean }[]>([]);
  const [failure, setFailure] = useState<{ line: string; words: string } | null>(null);
  const [history, setHistory] = useState(() => readHistory(server));
  const counter = useRef(0);

  const submit = (): void => {
    const line = draft.line;
    if (line.trim() === '' || disabledReason !== null) return;
    setHistory(remember(server, line));
    counter.current += 1;
    const key = counter.current;
    setFailure(null);
    setWaiting((list) => [...list, { key, line, held: false }]);
    clear();
    const done = (): void => setWaiting((list) => list.filter((item) => item.key !== key));
    const held = (): void => setWaiting((list) => list.map((item) => (item.key === key ? { ...item, held: true } : item)));
    send(line, held).then(done, (error: unknown) => {
      done();
      setFailure({ line, words: withLocalTimes(describe(error), Date.now()) });
    });
  };

  const unsent = connected ? waiting.filter(({ held }) => held) : waiting;
  return (
    <form
      className="command-line"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {unsent.length > 0 && (
        <p className="muted small" role="status">
          {unsent.map(({ key, line }) => (
            <span key={key} className="waiting-command">
              <span className="spin"><BusyIcon /></span> <code>{line}</code>
            </span>
          ))}
          {connected ? ' is sent once, as soon as the node answers.' : ' is sent once, as soon as the console is back.'}
        </p>
      )}
      {failure !== null && (
        <p className="error" role="alert">
          <code>{failure.line}</code> was not typed: {failure.words}
        </p>
      )}
      <div className="command-row">
        <span aria-hidden="true" className="mono">&gt;</span>
        <CommandInput line={draft.line} disabledReason={disabledReason} history={history} completions={completions} onChange={(line) => change({ line })} />
        <Button type="submit" disabledReason={disabledReason}>
          Send
        </Button>
      </div>
    </form>
  );
}
