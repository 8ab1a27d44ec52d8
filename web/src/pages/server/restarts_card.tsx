/** The answer to "why was my server restarted?", before the whole list of what happened. */
import { Link } from '@tanstack/react-router';

import type { ActivityEntry, ServerView } from '../../api/types';
import { ago, clock, count, millis } from '../../ui/format';
import { CheckIcon, RestartIcon } from '../../ui/icons';
import { ownRestarts, remedy, type OwnRestart } from './restarts';

const DAY_MS = 86_400_000;

export function RestartsCard({ server, entries, now }: { server: ServerView; entries: readonly ActivityEntry[]; now: number }) {
  const restarts = ownRestarts(entries);
  const [last] = restarts;
  return (
    <section className="card restarts" aria-label="Restarts by itself">
      {last === undefined ? (
        <p className="muted">
          <CheckIcon /> NodePanel has not had to start this server again.
        </p>
      ) : (
        <>
          <h2>
            <RestartIcon /> {headline(restarts, now)}
          </h2>
          <LastOne server={server} last={last} now={now} />
        </>
      )}
    </section>
  );
}

function headline(restarts: readonly OwnRestart[], now: number): string {
  const today = restarts.filter(({ at }) => now - at < DAY_MS).length;
  if (today === 0) return `Not restarted by itself for ${count(Math.floor((now - (restarts[0]?.at ?? now)) / DAY_MS), 'day')}`;
  return `Restarted by itself ${today === 1 ? 'once' : count(today, 'time')} in the last 24 hours`;
}

function LastOne({ server, last, now }: { server: ServerView; last: OwnRestart; now: number }) {
  const help = remedy(last.why);
  return (
    <p>
      The last time <time dateTime={new Date(last.at).toISOString()}>at {clock(last.at, now)}</time> ({ago(last.at, now)}): {last.why}{' '}
      {last.awayMs !== null && `It was started again after ${millis(last.awayMs)}. `}
      {help !== null && (
        <>
          {help.words}:{' '}
          {help.where === 'settings' ? (
            <Link to="/servers/$serverId/settings" params={{ serverId: server.id }}>
              Settings
            </Link>
          ) : (
            <Link to="/servers/$serverId" params={{ serverId: server.id }}>
              Console
            </Link>
          )}
          .
        </>
      )}
    </p>
  );
}
