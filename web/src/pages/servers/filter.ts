/** Which servers a list shows, and in which order. Pure. */
import type { ServerState, ServerView } from '../../api/types';
import { address } from '../../ui/format';
import { STATE_ORDER, stateWord } from '../../ui/state_chip';

export type SortKey = 'state' | 'name' | 'cpu' | 'memory' | 'players' | 'node';

export interface ListFilter {
  text: string;
  state: ServerState | 'all' | 'trouble';
  owner: 'all' | 'mine';
  sort: SortKey;
  descending: boolean;
}

export const NO_FILTER: ListFilter = { text: '', state: 'all', owner: 'all', sort: 'name', descending: false };

const TROUBLE = new Set<ServerState>(['crashed', 'crash_looping', 'unreachable']);
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Every word of the filter must appear in the server's name, state, address, template, node or owner. */
export function select(servers: readonly ServerView[], filter: ListFilter, me: string): ServerView[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = servers.filter((server) => {
    if (filter.owner === 'mine' && server.owner.id !== me) return false;
    if (filter.state === 'trouble' ? !TROUBLE.has(server.state) : filter.state !== 'all' && server.state !== filter.state) {
      return false;
    }
    return words.length === 0 || words.every((word) => haystack(server).includes(word));
  });
  const sign = filter.descending ? -1 : 1;
  return found.sort((a, b) => sign * compare(a, b, filter.sort) || collator.compare(a.name, b.name));
}

function compare(a: ServerView, b: ServerView, key: SortKey): number {
  switch (key) {
    case 'name':
      return collator.compare(a.name, b.name);
    case 'node':
      return collator.compare(a.node.name, b.node.name);
    case 'state':
      return STATE_ORDER.indexOf(a.state) - STATE_ORDER.indexOf(b.state);
    case 'cpu':
      return (a.stats?.cpu_percent ?? -1) - (b.stats?.cpu_percent ?? -1);
    case 'memory':
      return (a.stats?.memory_bytes ?? -1) - (b.stats?.memory_bytes ?? -1);
    case 'players':
      return (a.players?.online ?? -1) - (b.players?.online ?? -1);
  }
}

/** Made once for each view of a server: a list of thousands is filtered again with every letter and every event. */
const haystacks = new WeakMap<ServerView, string>();

function haystack(server: ServerView): string {
  let text = haystacks.get(server);
  if (text === undefined) {
    text = describeForSearch(server);
    haystacks.set(server, text);
  }
  return text;
}

function describeForSearch(server: ServerView): string {
  return [server.name, stateWord(server.state), ...server.endpoints.map(address), server.template.name, server.node.name, server.owner.email]
    .join(' ')
    .toLowerCase();
}
