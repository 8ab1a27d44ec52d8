/** Who plays on a server, kept up to date by its figures; `null` when the game cannot be asked. */
import type { ServerView } from '../api/types';
import { useTicks } from './ticks';

export function usePlayers(server: ServerView): ServerView['players'] {
  const newest = useTicks(server.id).at(-1);
  // Figures of before outlast the run that they are of.
  if (server.state !== 'running' || newest === undefined) return server.players;
  return newest.players === null ? null : { online: newest.players, max: newest.players_max };
}
