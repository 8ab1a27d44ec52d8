/** The API's bodies, written after `crates/types` until they are generated from the OpenAPI document. */

export type ServerState =
  | 'installing'
  | 'stopped'
  | 'starting'
  | 'running'
  | 'stopping'
  | 'crashed'
  | 'crash_looping'
  | 'unreachable';
export type PowerAction = 'start' | 'stop' | 'restart' | 'kill';
export type UserRole = 'administrator' | 'user';
export type Permission =
  | 'server.view'
  | 'server.create'
  | 'server.power'
  | 'server.console.read'
  | 'server.console.send'
  | 'server.settings'
  | 'server.limits'
  | 'server.delete'
  | 'template.view'
  | 'template.manage'
  | 'node.view'
  | 'node.manage'
  | 'user.manage'
  | 'component.view'
  | 'key.own';

export interface FieldError {
  field: string;
  message: string;
}
export interface Problem {
  type: string;
  code: string;
  title: string;
  status: number;
  detail: string;
  request_id?: string;
  errors?: FieldError[];
  retry_after_s?: number;
}
export interface Page<T> {
  items: T[];
  total: number;
  next: string | null;
}
export interface UserView {
  id: string;
  email: string;
  role: UserRole;
  created_at: string;
  servers: number;
}
export interface CreateUser {
  email: string;
  password: string;
  role?: UserRole;
}
export interface UpdateUser {
  email?: string | null;
  password?: string | null;
  role?: UserRole | null;
}
export interface SessionView {
  user: UserView;
  expires_at: string | null;
  permissions: Permission[];
  version: string;
}
export interface SetupState {
  needed: boolean;
}
export interface Endpoint {
  name: string;
  address: string;
  port: number;
  protocol: 'tcp' | 'udp' | 'both';
}
export interface Limits {
  memory_mib?: number | null;
  cpu_percent?: number | null;
  pids?: number | null;
  disk_mib?: number | null;
}
export interface CrashPolicy {
  first_delay_ms: number;
  max_delay_ms: number;
  healthy_after_ms: number;
}
export type InstallState =
  | { state: 'pending' }
  | { state: 'running'; job: string; started_at: string }
  | { state: 'succeeded'; serial: number; at: string; took_ms: number }
  | { state: 'failed'; serial: number; at: string; message: string };
export interface Sample {
  at: string;
  cpu_percent: number | null;
  memory_bytes: number | null;
  disk_bytes: number | null;
  network_in_bps: number | null;
  network_out_bps: number | null;
  uptime_s: number | null;
  players: number | null;
}
export interface ActionState {
  allowed: boolean;
  reason: string | null;
}
export type Actions = Record<PowerAction, ActionState>;
export interface ServerView {
  id: string;
  name: string;
  owner: { id: string; email: string };
  node: { id: string; name: string; online: boolean };
  template: { id: string; name: string; version: number; newer_version: number | null };
  endpoints: Endpoint[];
  limits: Limits;
  variables: Record<string, string>;
  crash: CrashPolicy;
  state: ServerState;
  reason: string;
  since: string | null;
  as_of: string | null;
  last_known_state: ServerState | null;
  wants_running: boolean;
  install: InstallState | null;
  install_percent: number | null;
  automatic_restarts: number;
  notice: string | null;
  stats: Sample | null;
  players: { online: number; max: number | null } | null;
  actions: Actions;
  permissions: Permission[];
  generation: number;
  created_at: string;
  deleting: boolean;
}
export interface CreateServer {
  name: string;
  template: string;
  node?: string | null;
  owner?: string | null;
  variables?: Record<string, string>;
  limits?: Limits | null;
  ports?: Record<string, number>;
  address?: string | null;
  start?: boolean;
}
export interface UpdateServer {
  name?: string | null;
  variables?: Record<string, string> | null;
  limits?: Limits | null;
  crash?: CrashPolicy | null;
  owner?: string | null;
  upgrade_template?: boolean;
  generation?: number | null;
}
export interface CommandSent {
  line: number | null;
}
export interface StatsSeries {
  window: 'hour' | 'week';
  step_s: number;
  samples: Sample[];
}
export interface ActivityEntry {
  n: number;
  at: string;
  server: string | null;
  kind: 'install' | 'power' | 'crash' | 'restart' | 'recovery' | 'remove';
  text: string;
  took_ms: number | null;
  automatic: boolean;
}
export interface TemplateSummary {
  id: string;
  slug: string;
  name: string;
  description: string;
  version: number;
  builtin: boolean;
  servers: number;
  updated_at: string;
}
export interface VariableView {
  key: string;
  label: string;
  help: string;
  default: string;
  options: string[];
  pattern: string | null;
  required: boolean;
  secret: boolean;
}
export interface TemplateView extends TemplateSummary {
  source: string;
  variables: VariableView[];
  ports: string[];
  limits: Limits;
}
export interface NodeFacts {
  node: string;
  version: string;
  hostname: string;
  system: string;
  booted_at: string;
  agent_started_at: string;
  warnings: string[];
}
export interface NodeUsage {
  cpus: number;
  cpu_percent: number | null;
  load_1m: number | null;
  memory_total_bytes: number;
  memory_used_bytes: number;
  disk_total_bytes: number;
  disk_used_bytes: number;
}
export type NodePresence =
  | { state: 'pending'; reason: string }
  | { state: 'online'; since: string }
  | { state: 'unreachable'; since: string; reason: string };
export interface NodeView {
  id: string;
  name: string;
  created_at: string;
  presence: NodePresence;
  facts: NodeFacts | null;
  usage: NodeUsage | null;
  servers: number;
  ports: number;
  ports_used: number;
}
export interface AllocationView {
  address: string;
  port: number;
  server: string | null;
}
export interface JoinToken {
  token: string;
  expires_at: string;
}
export interface ApiKeyView {
  id: string;
  user: string;
  name: string;
  prefix: string;
  created_at: string;
}
export interface ApiKeyCreated {
  key: ApiKeyView;
  token: string;
}
export interface Component {
  name: string;
  role: 'supervisor' | 'api' | 'status' | 'agent' | 'shim';
  pid: number | null;
  state: 'starting' | 'ready' | 'degraded' | 'draining' | 'backing_off' | 'stopped';
  started_at: string | null;
  restarts: number;
  last_recovery_ms: number | null;
  last_exit: string | null;
  detail: string | null;
}
export interface ComponentsView {
  as_of: string;
  components: Component[];
  stale_reason: string | null;
}
export interface Overview {
  warnings: { level: 'error' | 'warning'; text: string }[];
  nodes: number;
  nodes_online: number;
  servers: number;
  servers_running: number;
  users: number;
}
export type StatsTick = Sample & { id: string };
export type ApiEvent =
  | { type: 'hello'; version: string; instance: string }
  | { type: 'server'; server: ServerView }
  | { type: 'server_removed'; id: string }
  | { type: 'stats'; ticks: StatsTick[] }
  | { type: 'node'; node: NodeView }
  | { type: 'node_removed'; id: string }
  | { type: 'template_changed'; id: string }
  | { type: 'components_changed' };

/** Console streams are NDJSON and not part of the OpenAPI document. */
export type LineKind = 'out' | 'in' | 'sys';
export interface ConsoleLine {
  n: number;
  t: number;
  k: LineKind;
  s: string;
}
export interface Gap {
  from: number;
  to: number;
  why: 'slow_reader' | 'rotated';
}
export type ConsoleFrame =
  | ConsoleLine
  | { gap: Gap }
  | { at: { first: number; next: number } }
  | { state: { connected: boolean; reason: string | null } }
  | { sent: { key: string; line: number | null } }
  | { failed: { key: string; problem: Problem } }
  | { beat: number };
