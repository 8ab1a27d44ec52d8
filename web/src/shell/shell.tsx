/**
 * The frame of the signed-in panel. Decides who sees it: it stays through every failure and gives way to the sign-in
 * page only when NodePanel says that the session has ended, or on a first visit without one.
 */
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useLocation, useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';

import { useCell } from '../api/cell';
import { outage, probe, sessionEnded } from '../api/client';
import { ProblemError } from '../api/problem';
import { applyEvent, queries } from '../live/cache';
import { runEventStream } from '../live/events';
import { Failure } from '../ui/failure';
import { Skeleton } from '../ui/loaded';
import { AccountMenu } from './account_menu';
import { PaletteButton } from './palette_button';
import { SessionContext } from './session';

export function Shell() {
  const session = useQuery(queries.session);
  const ended = useCell(sessionEnded);
  const navigate = useNavigate();
  const here = useLocation({ select: (location) => location.href });
  const signedOut = isCode(session.error, 'sign-in-required');
  const firstVisit = signedOut && session.data === undefined;

  useEffect(() => {
    // The address changes before the page does: without this the way back would lead to the sign-in page itself.
    if ((!ended && !firstVisit) || here.startsWith('/sign-in')) return;
    const next = here === '/' || here === '/servers' ? {} : { next: here };
    void navigate({ to: '/sign-in', search: { ...next, ...(ended ? { why: 'ended' as const } : {}) }, replace: true });
  }, [ended, firstVisit, here, navigate]);

  const user = session.data?.user.id;
  useEffect(() => {
    if (user === undefined || ended) return;
    const abort = new AbortController();
    const parts = { outage, onEvent: applyEvent, onSessionEnded: () => sessionEnded.set(true), onLate: () => probe.suspect() };
    void runEventStream(parts, abort.signal);
    return () => abort.abort();
  }, [user, ended]);

  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="shell-header">
        <Link to="/servers" className="logo" aria-label="NodePanel, your servers">
          <img src="/favicon.svg" alt="" width="22" height="22" />
          <span>NodePanel</span>
        </Link>
        {session.data !== undefined && (
          <>
            <nav aria-label="Main">
              <Link to="/servers">Servers</Link>
              {session.data.permissions.includes('component.view') && <Link to="/admin">Administration</Link>}
            </nav>
            <PaletteButton session={session.data} />
            <AccountMenu session={session.data} />
          </>
        )}
      </header>
      {signedOut && !firstVisit && (
        <p className="banner" data-tone="warn">
          This browser has no session any more, perhaps because you signed out in another tab.
          <Link to="/sign-in" search={{ next: here }}>
            Sign in to go on here
          </Link>
        </p>
      )}
      <main id="main" tabIndex={-1}>
        {session.data !== undefined ? (
          <SessionContext value={session.data}>
            <Outlet />
          </SessionContext>
        ) : session.isError && !signedOut ? (
          <div className="page">
            <Failure error={session.error} what="The panel cannot open." />
          </div>
        ) : (
          <div className="page">
            <Skeleton what="the panel" rows={6} />
          </div>
        )}
      </main>
    </>
  );
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof ProblemError && error.problem.code === code;
}
