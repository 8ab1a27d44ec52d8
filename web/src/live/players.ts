/** Who plays on a server, kept up to date by its figures; `null` when the game cannot be asked. */
import type { ServerView } from '../api/types';
import { useTicks } from './ticks';

export function usePlayers(server: ServerView): ServerView['players'] {
  const newest = useTicks(server.id).at(-1);
  // Figures of before outlast the run that they are of.
  if (server.state !== 'running' || newest === undefined) return server.players;
  // Older nodes leave out what they do not know.
  const online = newest.players ?? null;
  return online === null ? null : { online, max: newest.players_max ?? null };
}
