/** What NodePanel put right by itself: its own processes that were replaced, and games that were started again. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import type { Component, ServerView } from '../../api/types';
import { queries } from '../../live/cache';
import { ago, count, millis } from '../../ui/format';
import { AlertIcon, CheckIcon, RestartIcon } from '../../ui/icons';
import { Loaded } from '../../ui/loaded';
import { useNow } from '../../ui/now';

/** The most of each kind that an overview names. */
const NAMED = 5;

export function HealedCard() {
  const components = useQuery(queries.components);
  const servers = useQuery(queries.servers);
  return (
    <section className="card">
      <h2>What healed itself</h2>
      <Loaded query={components} what="NodePanel’s processes" rows={1}>
        {({ components: all }) => <Healed components={all.filter(wasReplaced)} servers={(servers.data?.items ?? []).filter(wasRestarted)} />}
      </Loaded>
    </section>
  );
}

function wasReplaced({ restarts, role }: Component): boolean {
  return restarts > 0 && role !== 'shim';
}

/** Whether it does its work again: what is not back has not healed. */
function serves({ state }: Component): boolean {
  return state === 'ready' || state === 'degraded';
}

function times(value: number): string {
  return value === 1 ? 'once' : count(value, 'time');
}

function wasRestarted({ automatic_restarts }: ServerView): boolean {
  return automatic_restarts > 0;
}

function Healed({ components, servers }: { components: readonly Component[]; servers: readonly ServerView[] }) {
  const now = useNow();
  if (components.length === 0 && servers.length === 0) {
    return <p className="muted">Nothing had to: no process of NodePanel and no game was restarted by itself.</p>;
  }
  const games = servers.toSorted((a, b) => b.automatic_restarts - a.automatic_restarts);
  return (
    <ul className="healed">
      {components.map((component) => (
        <li key={component.name} data-tone={serves(component) ? undefined : 'bad'}>
          {serves(component) ? <CheckIcon /> : <AlertIcon />}
          <span>
            <strong>{component.name}</strong> {!serves(component) && 'is not back yet; it '}was replaced {times(component.restarts)}
            {component.last_recovery_ms !== null && `, the last time within ${millis(component.last_recovery_ms)}`}.{' '}
            <span className="muted">
              {component.started_at !== null && `Its process is from ${ago(component.started_at, now)}. `}
              {component.last_exit !== null && `The one before ${component.last_exit}.`}
            </span>
          </span>
        </li>
      ))}
      {games.slice(0, NAMED).map((server) => (
        <li key={server.id}>
          <RestartIcon />
          <span>
            <Link to="/servers/$serverId/activity" params={{ serverId: server.id }}>
              {server.name}
            </Link>{' '}
            was started again {times(server.automatic_restarts)}, after {server.automatic_restarts === 1 ? 'a crash' : 'crashes'}.
          </span>
        </li>
      ))}
      {games.length > NAMED && <li className="muted more">and {count(games.length - NAMED, 'other server')}.</li>}
      <li className="more">
        <Link to="/admin/components" hash="history">
          When, why, and what was lost
        </Link>
      </li>
    </ul>
  );
}
