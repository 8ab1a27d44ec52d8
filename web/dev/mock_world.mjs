// The stand-in's world: servers, nodes, users and templates in memory, and the events that change them.
import { randomUUID } from 'node:crypto';

const started = Date.now();
export const iso = (ms = Date.now()) => new Date(ms).toISOString();

export const users = [
  { id: randomUUID(), email: 'admin@example.org', role: 'administrator', created_at: iso(started - 9e9), servers: 0 },
  { id: randomUUID(), email: 'kim@example.org', role: 'user', created_at: iso(started - 5e9), servers: 0 },
];

const source = `slug = "minecraft"
name = "Minecraft (flying-squid)"
description = "A Minecraft Java server written in JavaScript."

[[variable]]
key = "motd"
label = "Message of the day"
default = "A NodePanel server"

[start]
command = ["node", "server.js"]
ready_line = "Server listening on port"
`;

const template = (slug, name, description, variables) => ({
  id: randomUUID(), slug, name, description, version: 3, builtin: true, servers: 3, updated_at: iso(started - 1e9), source,
  variables, ports: slug === 'command' ? [] : ['game'], completions: ['help', 'say ', 'list', 'stop', 'kick '], limits: { memory_mib: 1024, cpu_percent: 200, pids: 256, disk_mib: 4096 },
});
const variable = (key, label, rest = {}) => ({
  key, label, help: '', default: '', options: [], pattern: null, required: false, secret: false, ...rest,
});
export const templates = [
  template('minecraft', 'Minecraft (flying-squid)', 'A Minecraft Java server written in JavaScript; players join with versions 1.16.5 to 1.21.4.', [
    variable('motd', 'Message of the day', { default: 'A NodePanel server', help: 'Shown in the list of servers.' }),
    variable('version', 'Minecraft version', { default: '1.21.4', options: ['1.21.4', '1.16.5'], required: true }),
    variable('password', 'Join password', { secret: true }),
  ]),
  template('openttd', 'OpenTTD', 'Build a transport company together, or against each other.', [variable('name', 'Server name', { default: 'Trains' })]),
  template('openarena', 'OpenArena', 'A fast first-person shooter, free after Quake III.', [variable('rcon', 'Remote console password', { secret: true, required: true })]),
  template('minetest', 'Minetest', 'A voxel world that players change and extend with mods.', []),
  template('command', 'Any command', 'Runs a command of your own.', [variable('command', 'Command', { required: true, default: './run.sh', help: 'A program and its arguments.' })]),
];

const node = (name, presence) => ({
  id: randomUUID(), name, created_at: iso(started - 9e9), presence,
  facts: presence.state === 'pending' ? null : {
    node: '', version: '0.1.0', hostname: name, system: 'Debian GNU/Linux 12 (bookworm), Linux 6.1.0', booted_at: iso(started - 8e8),
    agent_started_at: iso(started - 7e6), warnings: name === 'local' ? ['The agent does not run as root: every game server runs as the same user.'] : [],
  },
  usage: presence.state === 'pending' ? null : {
    cpus: 8, cpu_percent: 164, load_1m: 1.7, memory_total_bytes: 34359738368, memory_used_bytes: 12884901888,
    disk_total_bytes: 512e9, disk_used_bytes: 143e9,
  },
  servers: 0, ports: 200, ports_used: 0,
});
export const nodes = [
  node('local', { state: 'online', since: iso(started - 7e6) }),
  node('fra-2', { state: 'unreachable', since: iso(started - 4e5), reason: 'The connection was lost, and dialling it back fails: the machine or its network is down.' }),
  node('new', { state: 'pending', reason: 'Run `nodepanel agent join` with a join token on the machine.' }),
];

export const consoles = new Map();
export const servers = new Map();
const listeners = new Set();
export const onEvent = (listener) => { listeners.add(listener); return () => listeners.delete(listener); };
export const emit = (event) => listeners.forEach((listener) => listener(event));

const REASONS = {
  installing: 'Being installed (62 %): Fetching flying-squid and its parts.',
  stopped: 'Stopped as asked; it ended by itself (exit code 0).',
  starting: 'Started; waiting for it to say that it is ready.',
  running: 'Running.',
  stopping: 'Asked to stop; it is killed in 30 s if it has not stopped by then.',
  crashed: 'The server ran out of memory (limit 1024 MiB). It is started again in 4 s.',
  crash_looping: 'The server ended 7 times in a row; the last time it ended with exit code 1. The next try is in 2 minutes; look at the end of the console for the cause.',
  unreachable: 'Node fra-2 does not answer: the machine or its network is down. Power and console come back by themselves when it does.',
};

function actions(state) {
  const yes = { allowed: true, reason: null };
  const no = (reason) => ({ allowed: false, reason });
  const runs = state === 'running' || state === 'starting';
  return {
    start: runs ? no(`The server is already ${state}.`) : state === 'installing' ? no('Cannot start: the server is being installed (62 %).') : yes,
    stop: state === 'stopped' ? no('The server is already stopped.') : state === 'installing' ? no('Cannot stop: the server is being installed (62 %).') : yes,
    restart: state === 'stopped' ? no('The server is stopped: use start.') : state === 'installing' ? no('Cannot restart: the server is being installed (62 %).') : yes,
    kill: state === 'stopped' || state === 'installing' ? no(`There is no process to kill: the server is ${state === 'stopped' ? state : 'being installed'}.`) : yes,
  };
}

const ADJECTIVES = ['Quiet', 'Amber', 'Northern', 'Hollow', 'Velvet', 'Distant', 'Copper', 'Wild'];
const PLACES = ['Harbour', 'Valley', 'Lobby', 'Arena', 'Outpost', 'Depot', 'Garden', 'Ridge'];

export function setState(server, state, reason = REASONS[state]) {
  Object.assign(server, {
    state, reason, since: iso(), as_of: iso(), actions: actions(state), wants_running: state !== 'stopped', generation: server.generation + 1,
    install_percent: state === 'installing' ? 62 : null, players: state === 'running' ? { online: 3, max: 20 } : null,
    stats: state === 'running' ? server.stats : null,
  });
  emit({ type: 'server', server });
}

export function makeServer(index, body = {}) {
  const from = templates.find((item) => item.id === body.template) ?? templates[index % templates.length];
  const states = ['running', 'running', 'stopped', 'running', 'crashed', 'running', 'installing', 'crash_looping', 'unreachable', 'running'];
  const state = body.name === undefined ? states[index % states.length] : 'installing';
  const on = state === 'unreachable' ? nodes[1] : nodes[0];
  const server = {
    id: randomUUID(), name: body.name ?? `${ADJECTIVES[index % 8]} ${PLACES[Math.floor(index / 8) % 8]} ${index + 1}`,
    owner: { id: users[index % 2].id, email: users[index % 2].email }, node: { id: on.id, name: on.name, online: on.presence.state === 'online' },
    template: { id: from.id, name: from.name, version: 3, newer_version: index === 1 ? 4 : null },
    endpoints: [{ name: 'game', address: '203.0.113.7', port: 25565 + index, protocol: 'tcp' }, ...(index % 5 === 2 ? [{ name: 'rcon', address: '203.0.113.7', port: 35565 + index, protocol: 'tcp' }] : [])],
    limits: body.limits ?? from.limits, variables: { motd: 'A NodePanel server', version: '1.21.4', password: 'hunter2', ...body.variables },
    crash: { first_delay_ms: 1000, max_delay_ms: 300000, healthy_after_ms: 60000 }, state, reason: REASONS[state], since: iso(started - 1e6 * (index + 1)),
    as_of: state === 'unreachable' ? iso(started - 4e5) : iso(), last_known_state: state === 'unreachable' ? 'running' : null, wants_running: state !== 'stopped',
    install: state === 'installing' ? { state: 'running', job: randomUUID(), started_at: iso() } : { state: 'succeeded', serial: 1, at: iso(started - 1e8), took_ms: 14200 },
    install_percent: state === 'installing' ? 62 : null, automatic_restarts: index % 4, notice: index === 3 ? 'It did not say that it is ready within 60 s; it may still be loading.' : null,
    stats: null, players: state === 'running' ? { online: index % 7, max: 20 } : null, actions: actions(state),
    permissions: ['server.view', 'server.power', 'server.console.read', 'server.console.send', 'server.settings', 'server.limits', 'server.delete'],
    generation: 1, created_at: iso(started - 1e9), deleting: false,
  };
  servers.set(server.id, server);
  consoles.set(server.id, new ConsoleStub());
  return server;
}

/** A console: numbered lines, the newest 10,000 kept. */
export class ConsoleStub {
  lines = [];
  next = 1;
  readers = new Set();
  print(s, k = 'out') {
    const line = { n: this.next, t: Date.now(), k, s };
    this.next += 1;
    this.lines.push(line);
    if (this.lines.length > 12000) this.lines.splice(0, 2000);
    this.readers.forEach((reader) => reader(line));
    return line.n;
  }
}

export const sample = (index, at = Date.now()) => {
  const wave = Math.sin(at / 9000 + index) + Math.sin(at / 2300 + index * 2) / 3;
  return {
    at: iso(at), cpu_percent: Math.max(1, 42 + wave * 30 + Math.random() * 6), memory_bytes: Math.round(6e8 + wave * 8e7), disk_bytes: 1.2e9,
    network_in_bps: Math.round(4e4 + wave * 2e4), network_out_bps: Math.round(2e5 + wave * 9e4), uptime_s: Math.round((at - started) / 1000) + 4000, players: 3,
  };
};

const count = Number(process.env.MOCK_SERVERS ?? 12);
for (let i = 0; i < count; i += 1) makeServer(i);
for (const console of consoles.values()) {
  console.print('Started.', 'sys');
  console.print('\x1b[32m[info]\x1b[0m Loading world…');
  console.print('\x1b[33m[warn]\x1b[0m Can\'t keep up! Is the server overloaded? <b>not html</b>');
  for (let i = 0; i < 40; i += 1) console.print(`[${String(i).padStart(2, '0')}] chunk ${i * 7}, ${i * 3} loaded in ${(i * 13) % 50} ms`);
  console.print('Server listening on port 25565');
  console.print('say hello', 'in');
  console.print('[Server] hello');
}

setInterval(() => {
  const ticks = [];
  let index = 0;
  for (const server of servers.values()) {
    index += 1;
    if (server.state !== 'running') continue;
    server.stats = sample(index);
    server.as_of = iso();
    ticks.push({ id: server.id, ...server.stats });
  }
  if (ticks.length > 0) emit({ type: 'stats', ticks });
}, 1000).unref();
setInterval(() => {
  for (const [id, console] of consoles) {
    if (servers.get(id)?.state === 'running') console.print(`<kim> it is ${new Date().toLocaleTimeString('en-GB')} and all is well`);
  }
}, 3000).unref();
