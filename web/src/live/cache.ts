/**
 * What the panel remembers of the API's answers: the query cache, how live events change it, and what of it survives a
 * reload during an outage. Only the transport retries, so the cache itself never does.
 */
import { QueryClient, dehydrate, hydrate, queryOptions, type DehydratedState, type Query } from '@tanstack/react-query';

import * as api from '../api/endpoints';
import type { ApiEvent, NodeView, Page, ServerView } from '../api/types';
import { forgetTicks, pushTicks } from './ticks';

/** The parts of a list that are fetched at once, and the most servers that a page holds. */
const PART = 500;
const MOST = 5_000;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { retry: false, networkMode: 'always', staleTime: 30_000, refetchOnWindowFocus: true, gcTime: 30 * 60_000 },
    mutations: { retry: false, networkMode: 'always' },
  },
});

export interface ServerList {
  items: ServerView[];
  total: number;
}

export const queries = {
  session: queryOptions({ queryKey: ['session'], queryFn: ({ signal }) => api.session.get(signal), staleTime: 300_000 }),
  servers: queryOptions({ queryKey: ['servers'], queryFn: ({ signal }) => allServers(signal), refetchInterval: 60_000 }),
  server: (id: string) =>
    queryOptions<ServerView>({
      queryKey: ['server', id],
      queryFn: ({ signal }) => api.servers.get(id, signal),
      refetchInterval: 30_000,
      placeholderData: () =>
        queryClient.getQueryData<ServerList>(['servers'])?.items.find((server) => server.id === id),
    }),
  templates: queryOptions({ queryKey: ['templates'], queryFn: ({ signal }) => api.templates.list(signal) }),
  template: (id: string) =>
    queryOptions({ queryKey: ['template', id], queryFn: ({ signal }) => api.templates.get(id, signal) }),
  nodes: queryOptions({ queryKey: ['nodes'], queryFn: ({ signal }) => api.nodes.list(signal), refetchInterval: 30_000 }),
  allocations: (node: string) =>
    queryOptions({ queryKey: ['allocations', node], queryFn: ({ signal }) => api.nodes.allocations(node, signal) }),
  users: queryOptions({ queryKey: ['users'], queryFn: ({ signal }) => api.users.list(signal) }),
  keys: queryOptions({ queryKey: ['keys'], queryFn: ({ signal }) => api.keys.list(signal) }),
  components: queryOptions({
    queryKey: ['components'],
    queryFn: ({ signal }) => api.installation.components(signal),
    refetchInterval: 5_000,
  }),
  overview: queryOptions({
    queryKey: ['overview'],
    queryFn: ({ signal }) => api.installation.overview(signal),
    refetchInterval: 10_000,
  }),
  activity: (id: string) =>
    queryOptions({
      queryKey: ['activity', id],
      queryFn: ({ signal }) => api.servers.activity(id, signal),
      refetchInterval: 15_000,
      staleTime: 5_000,
    }),
};

async function allServers(signal: AbortSignal): Promise<ServerList> {
  const items: ServerView[] = [];
  let after: string | null = null;
  let total = 0;
  do {
    const page: Page<ServerView> = await api.servers.list(after, PART, signal);
    items.push(...page.items);
    total = page.total;
    after = page.next;
  } while (after !== null && items.length < MOST);
  return { items, total };
}

/** Changes what is known according to an event. */
export function applyEvent(event: ApiEvent): void {
  switch (event.type) {
    case 'hello':
      void queryClient.invalidateQueries({ predicate: (query) => query.queryKey[0] !== 'session' });
      break;
    case 'server':
      putServer(event.server);
      break;
    case 'server_removed':
      forgetTicks(event.id);
      queryClient.setQueryData<ServerList>(['servers'], (list) => list && without(list, event.id));
      void queryClient.invalidateQueries({ queryKey: ['server', event.id] });
      break;
    case 'stats':
      pushTicks(event.ticks);
      break;
    case 'node':
      queryClient.setQueryData<Page<NodeView>>(['nodes'], (page) => page && withItem(page, event.node));
      break;
    case 'node_removed':
      queryClient.setQueryData<Page<NodeView>>(['nodes'], (page) => page && without(page, event.id));
      break;
    case 'template_changed':
      void queryClient.invalidateQueries({ queryKey: ['templates'] });
      void queryClient.invalidateQueries({ queryKey: ['template', event.id] });
      break;
    case 'components_changed':
      void queryClient.invalidateQueries({ queryKey: ['components'] });
      void queryClient.invalidateQueries({ queryKey: ['overview'] });
      break;
  }
}

/** Remembers a server as an answer or an event shows it; what is older than what is known changes nothing. */
export function putServer(server: ServerView): void {
  queryClient.setQueryData<ServerView>(['server', server.id], (known) => (known && isOlder(server, known) ? known : server));
  queryClient.setQueryData<ServerList>(['servers'], (list) => {
    if (!list) return list;
    const known = list.items.find((item) => item.id === server.id);
    return known && isOlder(server, known) ? list : withItem(list, server);
  });
}

function isOlder(candidate: ServerView, known: ServerView): boolean {
  if (candidate.generation !== known.generation) return candidate.generation < known.generation;
  return candidate.as_of !== null && known.as_of !== null && candidate.as_of < known.as_of;
}

function withItem<T extends { id: string }, L extends { items: T[]; total: number }>(list: L, item: T): L {
  const index = list.items.findIndex((known) => known.id === item.id);
  if (index < 0) return { ...list, items: [...list.items, item], total: list.total + 1 };
  return { ...list, items: list.items.with(index, item) };
}

function without<T extends { id: string }>(list: Page<T>, id: string): Page<T>;
function without(list: ServerList, id: string): ServerList;
function without(list: ServerList, id: string): ServerList {
  const items = list.items.filter((item) => item.id !== id);
  return { ...list, items, total: list.total - (list.items.length - items.length) };
}

/** What is shown first after a reload while NodePanel does not answer. Secrets of templates and keys are not in it. */
const KEPT = new Set(['session', 'servers', 'server', 'templates']);
const STORAGE = 'nodepanel.cache';

export function keepForReload(): void {
  const kept = (query: Query): boolean => query.state.status === 'success' && KEPT.has(String(query.queryKey[0]));
  try {
    sessionStorage.setItem(STORAGE, JSON.stringify(dehydrate(queryClient, { shouldDehydrateQuery: kept })));
  } catch {
    // Too much for the browser's storage: then a reload during an outage shows less.
    sessionStorage.removeItem(STORAGE);
  }
}

export function restoreAfterReload(): void {
  const kept = sessionStorage.getItem(STORAGE);
  if (kept === null) return;
  try {
    hydrate(queryClient, JSON.parse(kept) as DehydratedState);
  } catch {
    sessionStorage.removeItem(STORAGE);
  }
}

/** Forgets everything that belongs to the person who signed out. */
export function forgetEverything(): void {
  queryClient.clear();
  sessionStorage.removeItem(STORAGE);
}
