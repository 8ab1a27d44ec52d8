/** Every call that the panel makes, by resource. Nothing else in the panel names a path of the API. */
import { get, write, type WriteOptions } from './client';
import type {
  ActivityEntry,
  AllocationView,
  ApiKeyCreated,
  ApiKeyView,
  CommandSent,
  ComponentsView,
  CreateServer,
  CreateUser,
  JoinToken,
  NodeView,
  Overview,
  Page,
  PowerAction,
  ServerView,
  SessionView,
  SetupState,
  StatsSeries,
  TemplateSummary,
  TemplateView,
  UpdateServer,
  UpdateUser,
  UserView,
} from './types';

const id = encodeURIComponent;

export const session = {
  get: (signal?: AbortSignal) => get<SessionView>('/session', {}, signal),
  signIn: (email: string, password: string, options?: WriteOptions) =>
    write<SessionView>('POST', '/session', { email, password }, options),
  signOut: () => write('DELETE', '/session', undefined, { patienceMs: 15_000 }),
  changePassword: (current: string, next: string, options?: WriteOptions) =>
    write('POST', '/session/password', { current, new: next }, options),
};

export const setup = {
  get: (signal?: AbortSignal) => get<SetupState>('/setup', {}, signal),
  create: (token: string, email: string, password: string, options?: WriteOptions) =>
    write<SessionView>('POST', '/setup', { token, email, password }, options),
};

export const servers = {
  list: (query: { after?: string | null; limit?: number; search?: string }, signal?: AbortSignal) =>
    get<Page<ServerView>>('/servers', query, signal),
  get: (server: string, signal?: AbortSignal) => get<ServerView>(`/servers/${id(server)}`, {}, signal),
  create: (body: CreateServer, options?: WriteOptions) => write<ServerView>('POST', '/servers', body, options),
  update: (server: string, body: UpdateServer, options?: WriteOptions) =>
    write<ServerView>('PATCH', `/servers/${id(server)}`, body, options),
  remove: (server: string, options?: WriteOptions) => write('DELETE', `/servers/${id(server)}`, undefined, options),
  power: (server: string, action: PowerAction, options?: WriteOptions) =>
    write<ServerView>('POST', `/servers/${id(server)}/power`, { action }, options),
  command: (server: string, line: string, options?: WriteOptions) =>
    write<CommandSent>('POST', `/servers/${id(server)}/command`, { line }, options),
  install: (server: string, options?: WriteOptions) =>
    write<ServerView>('POST', `/servers/${id(server)}/install`, undefined, options),
  stats: (server: string, window: 'hour' | 'week', signal?: AbortSignal) =>
    get<StatsSeries>(`/servers/${id(server)}/stats`, { window }, signal, { silenceIsOutage: false }),
  activity: (server: string, signal?: AbortSignal) =>
    get<{ items: ActivityEntry[] }>(`/servers/${id(server)}/activity`, { limit: 200 }, signal, {
      silenceIsOutage: false,
    }),
};

export const templates = {
  list: (signal?: AbortSignal) => get<Page<TemplateSummary>>('/templates', { limit: 200 }, signal),
  get: (template: string, version?: number, signal?: AbortSignal) =>
    get<TemplateView>(`/templates/${id(template)}`, { version }, signal),
  create: (source: string, options?: WriteOptions) => write<TemplateView>('POST', '/templates', { source }, options),
  replace: (template: string, source: string, options?: WriteOptions) =>
    write<TemplateView>('PUT', `/templates/${id(template)}`, { source }, options),
  remove: (template: string, options?: WriteOptions) =>
    write('DELETE', `/templates/${id(template)}`, undefined, options),
};

export const nodes = {
  list: (signal?: AbortSignal) => get<Page<NodeView>>('/nodes', { limit: 200 }, signal),
  create: (name: string, options?: WriteOptions) => write<NodeView>('POST', '/nodes', { name }, options),
  rename: (node: string, name: string, options?: WriteOptions) =>
    write<NodeView>('PATCH', `/nodes/${id(node)}`, { name }, options),
  remove: (node: string, options?: WriteOptions) => write('DELETE', `/nodes/${id(node)}`, undefined, options),
  joinToken: (node: string, options?: WriteOptions) =>
    write<JoinToken>('POST', `/nodes/${id(node)}/join-token`, undefined, options),
  allocations: (node: string, signal?: AbortSignal) =>
    get<Page<AllocationView>>(`/nodes/${id(node)}/allocations`, { limit: 200 }, signal),
  addAllocations: (node: string, address: string, ports: string, options?: WriteOptions) =>
    write('POST', `/nodes/${id(node)}/allocations`, { address, ports }, options),
  removeAllocations: (node: string, address: string, ports: string, options?: WriteOptions) =>
    write(
      'DELETE',
      `/nodes/${id(node)}/allocations?${new URLSearchParams({ address, ports }).toString()}`,
      undefined,
      options,
    ),
};

export const users = {
  list: (signal?: AbortSignal) => get<Page<UserView>>('/users', { limit: 200 }, signal),
  create: (body: CreateUser, options?: WriteOptions) => write<UserView>('POST', '/users', body, options),
  update: (user: string, body: UpdateUser, options?: WriteOptions) =>
    write<UserView>('PATCH', `/users/${id(user)}`, body, options),
  remove: (user: string, options?: WriteOptions) => write('DELETE', `/users/${id(user)}`, undefined, options),
};

export const keys = {
  list: (signal?: AbortSignal) => get<Page<ApiKeyView>>('/keys', { limit: 200 }, signal),
  create: (name: string, options?: WriteOptions) => write<ApiKeyCreated>('POST', '/keys', { name }, options),
  remove: (key: string, options?: WriteOptions) => write('DELETE', `/keys/${id(key)}`, undefined, options),
};

export const installation = {
  components: (signal?: AbortSignal) => get<ComponentsView>('/components', {}, signal),
  overview: (signal?: AbortSignal) => get<Overview>('/overview', {}, signal),
};
