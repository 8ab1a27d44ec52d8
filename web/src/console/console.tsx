/** A console: its state, its tools, its lines, and where commands are typed. */
import { useCallback, useEffect, useRef, useState } from 'react';

import type { LinkState } from '../live/console_link';
import { Button } from '../ui/button';
import { copyText } from '../ui/copy';
import { clock } from '../ui/format';
import { AlertIcon, BusyIcon, ClockIcon, CopyIcon, RunningIcon, SearchIcon, TextIcon } from '../ui/icons';
import { PHONE, useMedia } from '../ui/media';
import { useNow } from '../ui/now';
import { notify } from '../ui/notices';
import { CommandLine } from './command_line';
import { TerminalView, type TerminalHandle } from './terminal_view';
import { TextView } from './text_view';
import { useConsole } from './use_console';
import { copied } from './words';

interface ConsoleProps {
  path: string;
  /** The server whose history is used; `null` for a console that only reads. */
  server: string | null;
  disabledReason?: string | null;
  /** Commands that are offered while one is typed. */
  completions?: readonly string[];
  label: string;
}

const NONE: readonly string[] = [];

export function Console({ path, server, disabledReason = null, completions = NONE, label }: ConsoleProps) {
  const { buffer, state, send } = useConsole(path);
  const phone = useMedia(PHONE);
  const [textMode, setTextMode] = usePreference('console.text');
  const [timestamps, setTimestamps] = usePreference('console.timestamps');
  const [search, setSearch] = useState<string | null>(null);
  const [matches, setMatches] = useState<{ index: number; count: number } | null>(null);
  const terminal = useRef<TerminalHandle>(null);
  const asText = textMode ?? phone;

  const closeSearch = useCallback(() => {
    setSearch(null);
    setMatches(null);
    terminal.current?.clearSearch();
  }, []);

  const copy = (): void => {
    const selected = terminal.current?.selection() ?? '';
    const text = selected || buffer.entries.map((entry) => copied(entry, timestamps === true)).join('\n');
    void copyText(text).then((done) => {
      if (done) notify.done(selected ? 'Copied the selected text.' : `Copied ${buffer.entries.length} lines.`);
    });
  };

  return (
    <section className="console" aria-label={label}>
      <div className="console-bar">
        <LinkWords state={state} />
        <span className="spacer" />
        <Button look="quiet" compact icon={<SearchIcon />} aria-pressed={search !== null} onClick={() => (search === null ? setSearch('') : closeSearch())}>
          Search
        </Button>
        <Button look="quiet" compact icon={<ClockIcon />} aria-pressed={timestamps === true} onClick={() => setTimestamps(timestamps !== true)}>
          Times
        </Button>
        <Button look="quiet" compact icon={<TextIcon />} aria-pressed={asText} onClick={() => setTextMode(!asText)}>
          Text view
        </Button>
        <Button look="quiet" compact icon={<CopyIcon />} onClick={copy}>
          Copy
        </Button>
      </div>
      {search !== null && (
        <form
          className="console-search"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            terminal.current?.find(search, false);
          }}
        >
          <input
            type="search"
            aria-label="Search the console"
            autoFocus
            value={search}
            onChange={(event) => {
              setSearch(event.target.value);
              if (event.target.value === '') terminal.current?.clearSearch();
              else terminal.current?.find(event.target.value, true);
            }}
            onKeyDown={(event) => {
              if (event.key === 'Escape') closeSearch();
              if (event.key === 'Enter' && !event.shiftKey) {
                event.preventDefault();
                terminal.current?.find(search, true);
              }
            }}
          />
          {!asText && (
            <>
              <Button onClick={() => terminal.current?.find(search, true)}>Older</Button>
              <Button onClick={() => terminal.current?.find(search, false)}>Newer</Button>
              <span className="muted small" role="status">
                {search === '' || matches === null ? '' : matches.count === 0 ? 'Not found' : `${matches.index + 1} of ${matches.count}`}
              </span>
            </>
          )}
          <Button look="quiet" onClick={closeSearch}>
            Close
          </Button>
        </form>
      )}
      {asText ? (
        <TextView buffer={buffer} timestamps={timestamps === true} find={search ?? ''} />
      ) : (
        <TerminalView ref={terminal} buffer={buffer} timestamps={timestamps === true} onMatches={setMatches} />
      )}
      {server !== null && <CommandLine server={server} connected={state.is === 'open'} disabledReason={disabledReason} completions={completions} send={send} />}
    </section>
  );
}

function LinkWords({ state }: { state: LinkState }) {
  const now = useNow();
  if (state.is === 'connecting') {
    return (
      <p className="link-state" role="status" data-tone={state.firstTime ? undefined : 'warn'}>
        <span className="spin"><BusyIcon /></span>
        {state.firstTime
          ? 'Opening the console…'
          : `Connection lost at ${clock(state.since, now)}. Reconnecting; lines that come meanwhile will follow.`}
      </p>
    );
  }
  if (!state.node.connected) {
    return (
      <p className="link-state" role="status" data-tone="warn">
        <AlertIcon />
        {state.node.reason ?? 'The node does not answer. The console goes on by itself when it does.'}
      </p>
    );
  }
  return (
    <p className="link-state" role="status" data-tone="good">
      <RunningIcon /> Live
    </p>
  );
}

/** A choice that this device remembers; `null` until it was made. */
function usePreference(name: string): [boolean | null, (value: boolean) => void] {
  const key = `nodepanel.${name}`;
  const [value, setValue] = useState<boolean | null>(() => {
    const kept = localStorage.getItem(key);
    return kept === null ? null : kept === 'true';
  });
  useEffect(() => {
    if (value !== null) localStorage.setItem(key, String(value));
  }, [key, value]);
  return [value, setValue];
}
