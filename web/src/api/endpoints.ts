/** Every call that the panel makes, by resource. Nothing else in the panel names a path of the API. */
import { DELETE, GET, PATCH, POST, PUT, answered, reading, writing, type WriteOptions } from './client';
import type { CreateServer, CreateUser, PowerAction, UpdateServer, UpdateUser } from './types';

const at = (id: string) => ({ params: { path: { id } } });
/** A part of a list: as much as the API gives at once, after the part before. */
const part = (after: string | null) => (after === null ? { limit: 1_000 } : { after, limit: 1_000 });
/** What waits for a node may take longer than NodePanel itself. */
const ASKS_NODE = { silenceIsOutage: false };

export const session = {
  get: (signal?: AbortSignal) => answered(GET('/api/v1/session', reading(signal))),
  signIn: (email: string, password: string, options?: WriteOptions) =>
    answered(POST('/api/v1/session', { body: { email, password }, ...writing(options) })),
  signOut: () => answered(DELETE('/api/v1/session', writing({ patienceMs: 15_000 }))),
  changePassword: (current: string, next: string, options?: WriteOptions) =>
    answered(POST('/api/v1/session/password', { body: { current, new: next }, ...writing(options) })),
};

export const setup = {
  get: (signal?: AbortSignal) => answered(GET('/api/v1/setup', reading(signal))),
  create: (token: string, email: string, password: string, options?: WriteOptions) =>
    answered(POST('/api/v1/setup', { body: { token, email, password }, ...writing(options) })),
};

export const servers = {
  list: (after: string | null, signal?: AbortSignal) =>
    answered(GET('/api/v1/servers', { params: { query: part(after) }, ...reading(signal) })),
  get: (id: string, signal?: AbortSignal) => answered(GET('/api/v1/servers/{id}', { ...at(id), ...reading(signal) })),
  create: (body: CreateServer, options?: WriteOptions) => answered(POST('/api/v1/servers', { body, ...writing(options) })),
  update: (id: string, body: UpdateServer, options?: WriteOptions) =>
    answered(PATCH('/api/v1/servers/{id}', { ...at(id), body, ...writing(options) })),
  remove: (id: string, options?: WriteOptions) => answered(DELETE('/api/v1/servers/{id}', { ...at(id), ...writing(options) })),
  power: (id: string, action: PowerAction, options?: WriteOptions) =>
    answered(POST('/api/v1/servers/{id}/power', { ...at(id), body: { action }, ...writing(options) })),
  install: (id: string, options?: WriteOptions) =>
    answered(POST('/api/v1/servers/{id}/install', { ...at(id), ...writing(options) })),
  stats: (id: string, window: 'hour' | 'week', signal?: AbortSignal) =>
    answered(GET('/api/v1/servers/{id}/stats', { params: { path: { id }, query: { window } }, ...reading(signal, ASKS_NODE) })),
  activity: (id: string, signal?: AbortSignal) =>
    answered(GET('/api/v1/servers/{id}/activity', { params: { path: { id }, query: { limit: 1_000 } }, ...reading(signal, ASKS_NODE) })),
};

export const templates = {
  list: (after: string | null, signal?: AbortSignal) => answered(GET('/api/v1/templates', { params: { query: part(after) }, ...reading(signal) })),
  get: (id: string, signal?: AbortSignal) => answered(GET('/api/v1/templates/{id}', { ...at(id), ...reading(signal) })),
  create: (source: string, options?: WriteOptions) => answered(POST('/api/v1/templates', { body: { source }, ...writing(options) })),
  replace: (id: string, source: string, options?: WriteOptions) =>
    answered(PUT('/api/v1/templates/{id}', { ...at(id), body: { source }, ...writing(options) })),
  remove: (id: string, options?: WriteOptions) => answered(DELETE('/api/v1/templates/{id}', { ...at(id), ...writing(options) })),
};

export const nodes = {
  list: (after: string | null, signal?: AbortSignal) => answered(GET('/api/v1/nodes', { params: { query: part(after) }, ...reading(signal) })),
  create: (name: string, options?: WriteOptions) => answered(POST('/api/v1/nodes', { body: { name }, ...writing(options) })),
  rename: (id: string, name: string, options?: WriteOptions) =>
    answered(PATCH('/api/v1/nodes/{id}', { ...at(id), body: { name }, ...writing(options) })),
  remove: (id: string, options?: WriteOptions) => answered(DELETE('/api/v1/nodes/{id}', { ...at(id), ...writing(options) })),
  joinToken: (id: string, options?: WriteOptions) =>
    answered(POST('/api/v1/nodes/{id}/join-token', { ...at(id), ...writing(options) })),
  allocations: (id: string, after: string | null, signal?: AbortSignal) =>
    answered(GET('/api/v1/nodes/{id}/allocations', { params: { path: { id }, query: part(after) }, ...reading(signal) })),
  addAllocations: (id: string, address: string, ports: string, options?: WriteOptions) =>
    answered(POST('/api/v1/nodes/{id}/allocations', { ...at(id), body: { address, ports }, ...writing(options) })),
  removeAllocations: (id: string, address: string, ports: string, options?: WriteOptions) =>
    answered(DELETE('/api/v1/nodes/{id}/allocations', { params: { path: { id }, query: { address, ports } }, ...writing(options) })),
};

export const users = {
  list: (after: string | null, signal?: AbortSignal) => answered(GET('/api/v1/users', { params: { query: part(after) }, ...reading(signal) })),
  create: (body: CreateUser, options?: WriteOptions) => answered(POST('/api/v1/users', { body, ...writing(options) })),
  update: (id: string, body: UpdateUser, options?: WriteOptions) =>
    answered(PATCH('/api/v1/users/{id}', { ...at(id), body, ...writing(options) })),
  remove: (id: string, options?: WriteOptions) => answered(DELETE('/api/v1/users/{id}', { ...at(id), ...writing(options) })),
};

export const keys = {
  list: (after: string | null, signal?: AbortSignal) => answered(GET('/api/v1/keys', { params: { query: part(after) }, ...reading(signal) })),
  create: (name: string, options?: WriteOptions) => answered(POST('/api/v1/keys', { body: { name }, ...writing(options) })),
  remove: (id: string, options?: WriteOptions) => answered(DELETE('/api/v1/keys/{id}', { ...at(id), ...writing(options) })),
};

export const installation = {
  components: (signal?: AbortSignal) => answered(GET('/api/v1/components', reading(signal))),
  history: (after: string | null, signal?: AbortSignal) =>
    answered(GET('/api/v1/components/history', { params: { query: part(after) }, ...reading(signal) })),
  overview: (signal?: AbortSignal) => answered(GET('/api/v1/overview', reading(signal))),
};
