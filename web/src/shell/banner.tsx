/**
 * Says what is going on while the panel is cut off from NodePanel: since when, why, what still holds and what happens
 * next. It takes its room at the top of the page, covers nothing, and is announced once.
 */
import { useEffect, useLayoutEffect, useRef, useState } from 'react';

import { useCell } from '../api/cell';
import { outage } from '../api/client';
import { explain } from '../api/verdict';
import { clock, duration } from '../ui/format';
import { AlertIcon, CheckIcon } from '../ui/icons';
import { useNow } from '../ui/now';

/** How long "it is back" stays. */
const BACK_MS = 6_000;

export function Banner() {
  const state = useCell(outage.state);
  const now = useNow();
  const [dismissed, setDismissed] = useState(0);
  const back = state.is === 'ok' && state.lastOutage !== null && state.lastOutage.until > dismissed ? state.lastOutage : null;

  useEffect(() => {
    if (back === null) return;
    const timer = setTimeout(() => setDismissed(back.until), BACK_MS);
    return () => clearTimeout(timer);
  }, [back]);

  // What sticks below the banner, and what fills the screen, must know how high it is.
  const box = useRef<HTMLDivElement>(null);
  const shown = state.is === 'out' || back !== null;
  useLayoutEffect(() => {
    const set = (): void => {
      document.documentElement.style.setProperty('--banner-height', `${box.current?.offsetHeight ?? 0}px`);
    };
    set();
    window.addEventListener('resize', set);
    return () => window.removeEventListener('resize', set);
  }, [shown, state]);

  return (
    <div ref={box} className="banner-box" role="status" aria-live="polite" aria-atomic="true">
      {state.is === 'out' && (
        <div className="banner" data-tone="warn" data-testid="outage">
          <AlertIcon />
          <p>
            <strong>{explain(state.cause)}</strong> What you see is from before; your game servers go on, and nothing you
            typed is lost. The panel resumes by itself.{' '}
            <span className="muted" aria-hidden="true">
              Since {clock(state.since, now)} ({duration((now - state.since) / 1_000)}), {state.tries}{' '}
              {state.tries === 1 ? 'try' : 'tries'}.
            </span>
          </p>
        </div>
      )}
      {back !== null && (
        <div className="banner" data-tone="good">
          <CheckIcon />
          <p>NodePanel answers again, after {duration((back.until - back.since) / 1_000)}.</p>
        </div>
      )}
    </div>
  );
}
