/** Keeps a console's connection and buffer for as long as its component is on screen; one path for its whole life. */
import { useCallback, useEffect, useRef, useState } from 'react';

import { outage } from '../api/client';
import { ConsoleLink, type LinkState } from '../live/console_link';
import { ConsoleBuffer } from './buffer';

export interface OpenConsole {
  buffer: ConsoleBuffer;
  state: LinkState;
  send: (line: string, onHeld?: () => void) => Promise<number | null>;
}

export function useConsole(path: string): OpenConsole {
  const [state, setState] = useState<LinkState>(() => ({ is: 'connecting', since: Date.now(), firstTime: true }));
  const [buffer] = useState(() => new ConsoleBuffer());
  const link = useRef<ConsoleLink | null>(null);

  useEffect(() => {
    const opened = new ConsoleLink({ path, onEntries: (entries) => buffer.push(entries), onState: setState, isAway: () => outage.state.get().is === 'out' });
    link.current = opened;
    const unsubscribe = outage.onBack(() => opened.wake());
    return () => {
      link.current = null;
      unsubscribe();
      opened.close();
    };
  }, [path, buffer]);

  const send = useCallback((line: string, onHeld?: () => void) => link.current?.send(line, onHeld) ?? Promise.resolve(null), []);
  return { buffer, state, send };
}
