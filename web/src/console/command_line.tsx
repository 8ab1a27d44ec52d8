/** Where commands are typed. What was sent and is not yet known to have arrived is shown until it is. */
import { useRef, useState } from 'react';

import { describe } from '../api/problem';
import { Button } from '../ui/button';
import { useDraft } from '../ui/draft';
import { BusyIcon } from '../ui/icons';
import { readHistory, remember } from './history';

/** The API's limit for a command. */
const MAX_LENGTH = 2_048;

interface CommandLineProps {
  server: string;
  connected: boolean;
  /** Why nothing can be typed. */
  disabledReason: string | null;
  send: (line: string) => Promise<unknown>;
}

export function CommandLine({ server, connected, disabledReason, send }: CommandLineProps) {
  const [draft, change, clear] = useDraft(`command.${server}`, { line: '' });
  const [waiting, setWaiting] = useState<{ key: number; line: string }[]>([]);
  const [failure, setFailure] = useState<{ line: string; error: unknown } | null>(null);
  const history = useRef(readHistory(server));
  const place = useRef<number | null>(null);
  const counter = useRef(0);

  const submit = (): void => {
    const line = draft.line;
    if (line.trim() === '' || disabledReason !== null) return;
    history.current = remember(server, line);
    place.current = null;
    counter.current += 1;
    const key = counter.current;
    setFailure(null);
    setWaiting((list) => [...list, { key, line }]);
    clear();
    const done = (): void => setWaiting((list) => list.filter((item) => item.key !== key));
    send(line).then(done, (error: unknown) => {
      done();
      setFailure({ line, error });
    });
  };

  const recall = (step: -1 | 1): void => {
    const lines = history.current;
    const from = place.current ?? lines.length;
    const to = from + step;
    if (to < 0 || to > lines.length) return;
    place.current = to === lines.length ? null : to;
    change({ line: lines[to] ?? '' });
  };

  return (
    <form
      className="command-line"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {waiting.length > 0 && !connected && (
        <p className="muted small" role="status">
          {waiting.map(({ key, line }) => (
            <span key={key} className="waiting-command">
              <span className="spin"><BusyIcon /></span> <code>{line}</code>
            </span>
          ))}
          {' is sent once, as soon as the console is back.'}
        </p>
      )}
      {failure !== null && (
        <p className="error" role="alert">
          <code>{failure.line}</code> was not typed: {describe(failure.error)}
        </p>
      )}
      <div className="command-input">
        <span aria-hidden="true" className="mono">&gt;</span>
        <input
          className="mono"
          aria-label="Command"
          placeholder={disabledReason ?? 'Type a command; Enter sends it, arrow up brings the last ones back'}
          value={draft.line}
          maxLength={MAX_LENGTH}
          readOnly={disabledReason !== null}
          autoCapitalize="off"
          autoComplete="off"
          autoCorrect="off"
          spellCheck={false}
          enterKeyHint="send"
          onChange={(event) => {
            place.current = null;
            change({ line: event.target.value });
          }}
          onKeyDown={(event) => {
            if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
              event.preventDefault();
              recall(event.key === 'ArrowUp' ? -1 : 1);
            }
          }}
        />
        <Button type="submit" disabledReason={disabledReason}>
          Send
        </Button>
      </div>
    </form>
  );
}
