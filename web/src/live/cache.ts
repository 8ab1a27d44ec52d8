/**
 * What the panel remembers of the API's answers: the query cache, how live events change it, and what of it survives a
 * reload during an outage. Only the transport retries, so the cache itself never does.
 */
import { QueryClient, dehydrate, hydrate, queryOptions, type DehydratedState, type Query } from '@tanstack/react-query';

import * as api from '../api/endpoints';
import type { ApiEvent, NodeView, Page, ServerView } from '../api/types';
import { isOlder } from './older';
import { forgetTicks, pushTicks } from './ticks';
import { Meanwhile, wholeList, type WholeList } from './whole_list';

/** Events keep a list right; that it is fetched again now and then only guards against mistakes. */
const LIST_AGAIN_MS = 60_000;
const LONG_LIST = 1_000;
const LONG_LIST_AGAIN_MS = 600_000;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { retry: false, networkMode: 'always', staleTime: 30_000, refetchOnWindowFocus: true, gcTime: 30 * 60_000 },
    mutations: { retry: false, networkMode: 'always' },
  },
});

export type ServerList = WholeList<ServerView>;

/** Everything of a list that the API gives in parts. */
function whole<T>(fetchPart: (after: string | null, signal: AbortSignal) => Promise<Page<T>>) {
  return ({ signal }: { signal: AbortSignal }) => wholeList((after) => fetchPart(after, signal));
}

export const queries = {
  session: queryOptions({ queryKey: ['session'], queryFn: ({ signal }) => api.session.get(signal), staleTime: 300_000 }),
  servers: queryOptions({ queryKey: ['servers'], queryFn: ({ signal }) => allServers(signal), refetchInterval: ({ state }) => ((state.data?.items.length ?? 0) > LONG_LIST ? LONG_LIST_AGAIN_MS : LIST_AGAIN_MS) }),
  server: (id: string) =>
    queryOptions<ServerView>({
      queryKey: ['server', id],
      queryFn: ({ signal }) => api.servers.get(id, signal),
      refetchInterval: 30_000,
      placeholderData: () =>
        queryClient.getQueryData<ServerList>(['servers'])?.items.find((server) => server.id === id),
    }),
  templates: queryOptions({ queryKey: ['templates'], queryFn: whole(api.templates.list) }),
  template: (id: string) =>
    queryOptions({ queryKey: ['template', id], queryFn: ({ signal }) => api.templates.get(id, signal) }),
  nodes: queryOptions({ queryKey: ['nodes'], queryFn: whole(api.nodes.list), refetchInterval: 30_000 }),
  allocations: (node: string) =>
    queryOptions({ queryKey: ['allocations', node], queryFn: whole((after, signal) => api.nodes.allocations(node, after, signal)) }),
  users: queryOptions({ queryKey: ['users'], queryFn: whole(api.users.list) }),
  keys: queryOptions({ queryKey: ['keys'], queryFn: whole(api.keys.list) }),
  components: queryOptions({
    queryKey: ['components'],
    queryFn: ({ signal }) => api.installation.components(signal),
    refetchInterval: 5_000,
  }),
  history: queryOptions({ queryKey: ['history'], queryFn: whole(api.installation.history), refetchInterval: 60_000 }),
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

/** What events said of servers since the fetch of the list began; `null` while none is under way. */
let meanwhile: Meanwhile<ServerView> | null = null;

async function allServers(signal: AbortSignal): Promise<ServerList> {
  const mine = new Meanwhile<ServerView>();
  meanwhile = mine;
  const first = queryClient.getQueryData<ServerList>(['servers']) === undefined;
  try {
    const list = await wholeList(
      (after) => api.servers.list(after, signal),
      // Thousands of servers take a moment: the first of them can be used at once.
      (soFar) => {
        if (first && !signal.aborted) queryClient.setQueryData<ServerList>(['servers'], mine.applyTo(soFar, isOlder));
      },
    );
    return mine.applyTo(list, isOlder);
  } finally {
    if (meanwhile === mine) meanwhile = null;
  }
}

/** Changes what is known according to an event. */
export function applyEvent(event: ApiEvent): void {
  switch (event.type) {
    case 'hello':
      void queryClient.invalidateQueries({ predicate: (query) => query.queryKey[0] !== 'session' });
      break;
    case 'server':
      refreshActivity(event.server);
      putServer(event.server);
      break;
    case 'server_removed':
      forgetTicks(event.id);
      meanwhile?.remove(event.id);
      queryClient.setQueryData<ServerList>(['servers'], (list) => list && without(list, event.id));
      void queryClient.invalidateQueries({ queryKey: ['server', event.id] });
      break;
    case 'stats':
      pushTicks(event.ticks);
      break;
    case 'node':
      queryClient.setQueryData<WholeList<NodeView>>(['nodes'], (list) => list && withItem(list, event.node));
      break;
    case 'node_removed':
      queryClient.setQueryData<WholeList<NodeView>>(['nodes'], (list) => list && without(list, event.id));
      break;
    case 'template_changed':
      void queryClient.invalidateQueries({ queryKey: ['templates'] });
      void queryClient.invalidateQueries({ queryKey: ['template', event.id] });
      break;
    case 'components_changed':
      void queryClient.invalidateQueries({ queryKey: ['components'] });
      void queryClient.invalidateQueries({ queryKey: ['overview'] });
      void queryClient.invalidateQueries({ queryKey: ['history'] });
      break;
  }
}

/** Remembers a server as an answer or an event shows it; what is older than what is known changes nothing. */
export function putServer(server: ServerView): void {
  meanwhile?.put(server);
  queryClient.setQueryData<ServerView>(['server', server.id], (known) => (known && isOlder(server, known) ? known : server));
  queryClient.setQueryData<ServerList>(['servers'], (list) => {
    if (!list) return list;
    const known = list.items.find((item) => item.id === server.id);
    return known && isOlder(server, known) ? list : withItem(list, server);
  });
}

/** A change of state is an entry in the activity: whoever looks at it, or at its marks on the graphs, sees it now. */
function refreshActivity(server: ServerView): void {
  const known = queryClient.getQueryData<ServerView>(['server', server.id]);
  if (known !== undefined && known.state !== server.state) void queryClient.invalidateQueries({ queryKey: ['activity', server.id] });
}

function withItem<T extends { id: string }>(list: WholeList<T>, item: T): WholeList<T> {
  const index = list.items.findIndex((known) => known.id === item.id);
  if (index < 0) return { ...list, items: [...list.items, item], total: list.total + 1 };
  return { ...list, items: list.items.with(index, item) };
}

function without<T extends { id: string }>(list: WholeList<T>, id: string): WholeList<T> {
  const items = list.items.filter((item) => item.id !== id);
  return { ...list, items, total: list.total - (list.items.length - items.length) };
}

/** What is shown first after a reload while NodePanel does not answer. Secrets of templates and keys are not in it. */
const KEPT = new Set(['session', 'servers', 'server', 'templates']);
/** The most servers of the list that are kept: browsers give a page about five million characters. */
const KEPT_SERVERS = 1_000;
const STORAGE = 'nodepanel.cache';

export function keepForReload(): void {
  const kept = (query: Query): boolean => query.state.status === 'success' && KEPT.has(String(query.queryKey[0]));
  const shortened = (key: string, value: unknown): unknown =>
    key === 'items' && Array.isArray(value) ? value.slice(0, KEPT_SERVERS) : value;
  try {
    sessionStorage.setItem(STORAGE, JSON.stringify(dehydrate(queryClient, { shouldDehydrateQuery: kept }), shortened));
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
