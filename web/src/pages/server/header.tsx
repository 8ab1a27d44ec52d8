/** What stays in sight on a server's page: what it is, what it does and why, where players go, and its power. */
import { Link } from '@tanstack/react-router';

import type { ServerView } from '../../api/types';
import { usePlayers } from '../../live/players';
import { Copy } from '../../ui/copy';
import { address, ago, clock, withLocalTimes } from '../../ui/format';
import { AlertIcon, BackIcon } from '../../ui/icons';
import { useNow } from '../../ui/now';
import { StateChip, stateWord } from '../../ui/state_chip';
import { PowerButtons } from '../servers/power';

export function ServerHeader({ server }: { server: ServerView }) {
  return (
    <header className="server-header">
      <div className="server-title">
        <Link to="/servers" className="button" data-look="quiet" data-compact aria-label="All servers">
          <BackIcon />
        </Link>
        <h1>{server.name}</h1>
        <StateChip state={server.state} percent={server.install_percent} />
        <Players server={server} />
        <span className="endpoints">
          {server.endpoints.map((endpoint) => (
            <span key={endpoint.name} className="endpoint">
              {server.endpoints.length > 1 && <span className="muted small">{endpoint.name}</span>}
              <Copy text={address(endpoint)} what={`address (${endpoint.name})`} />
            </span>
          ))}
        </span>
      </div>
      <PowerButtons server={server} />
      <Reason server={server} />
    </header>
  );
}

function Players({ server }: { server: ServerView }) {
  const players = usePlayers(server);
  if (players === null) return null;
  const { online, max } = players;
  return (
    <span className="muted">
      {online}
      {max === null ? '' : ` of ${max}`} {online === 1 && max === null ? 'player' : 'players'}
    </span>
  );
}

/** The state in words. Only this is announced when it changes, never the console. */
function Reason({ server }: { server: ServerView }) {
  const now = useNow();
  return (
    <div className="server-reason">
      <p aria-live="polite">
        <span className="visually-hidden">{stateWord(server.state)}: </span>
        {withLocalTimes(server.reason, now)}
        {server.state === 'unreachable' && server.last_known_state !== null && (
          <>
            {' '}
            It was {stateWord(server.last_known_state).toLowerCase()} when it was last heard of
            {server.as_of !== null && `, at ${clock(server.as_of, now)}`}.
          </>
        )}
      </p>
      {server.since !== null && (
        <span className="muted small" aria-hidden="true">
          since <time dateTime={server.since}>{clock(server.since, now)}</time> ({ago(server.since, now)})
        </span>
      )}
      {server.notice !== null && (
        <p className="notice-line">
          <AlertIcon /> {server.notice}
        </p>
      )}
      {server.template.newer_version !== null && (
        <p className="muted small">
          A newer version of its template exists ({server.template.newer_version}).{' '}
          <Link to="/servers/$serverId/settings" params={{ serverId: server.id }}>
            Settings
          </Link>
        </p>
      )}
    </div>
  );
}
