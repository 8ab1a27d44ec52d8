/** A server: its header stays, its tabs change below. */
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, getRouteApi } from '@tanstack/react-router';
import { createContext, useContext } from 'react';

import type { ServerView } from '../../api/types';
import { queries } from '../../live/cache';
import { Loaded } from '../../ui/loaded';
import { stateWord } from '../../ui/state_chip';
import { useTitle } from '../../ui/title';
import { ServerHeader } from './header';

const route = getRouteApi('/shell/servers/$serverId');
const ServerContext = createContext<ServerView | null>(null);

/** The server of the page. */
export function useServer(): ServerView {
  const server = useContext(ServerContext);
  if (server === null) throw new Error('useServer is for the tabs of a server.');
  return server;
}

const TABS = [
  { to: '/servers/$serverId', word: 'Console' },
  { to: '/servers/$serverId/graphs', word: 'Graphs' },
  { to: '/servers/$serverId/activity', word: 'Activity' },
  { to: '/servers/$serverId/settings', word: 'Settings' },
] as const;

export function ServerPage() {
  const { serverId } = route.useParams();
  const query = useQuery(queries.server(serverId));
  useTitle(query.data && `${query.data.name} (${stateWord(query.data.state)})`);
  return (
    <div className="page server-page">
      <Loaded query={query} what="the server" rows={6} otherwise={<Link to="/servers">All servers</Link>}>
        {(server) => (
          <ServerContext value={server}>
            <ServerHeader server={server} />
            <nav className="tabs" aria-label={`Parts of ${server.name}`}>
              {TABS.map(({ to, word }) => (
                <Link key={to} to={to} params={{ serverId }} activeOptions={{ exact: true }}>
                  {word}
                </Link>
              ))}
            </nav>
            <Outlet />
          </ServerContext>
        )}
      </Loaded>
    </div>
  );
}
