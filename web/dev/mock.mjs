// A stand-in for the API; see README.md beside it.
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname } from 'node:path';

import { WebSocketServer } from 'ws';

import * as world from './mock_world.mjs';

const port = Number(process.env.MOCK_PORT ?? 8080);
const dist = new URL('../dist/', import.meta.url);
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

let fault = 'ok';
let session = null;
const done = new Map();
const sockets = new Set();

const problem = (status, code, detail, errors = []) => ({ status, problem: { type: `urn:nodepanel:problem:${code}`, code, title: code, status, detail, request_id: randomUUID(), errors } });
const ok = (body, status = 200) => ({ status, body });
const list = (items) => ok({ items, total: items.length, next: null });
const view = (user) => ({
  user, expires_at: null, version: '0.1.0',
  permissions: user.role === 'administrator'
    ? ['server.create', 'template.view', 'template.manage', 'node.view', 'node.manage', 'user.manage', 'component.view', 'key.own']
    : ['template.view', 'key.own'],
});
const keys = [{ id: randomUUID(), user: '', name: 'backup script', prefix: 'np_7f3a', created_at: world.iso() }];

const routes = [
  ['GET', /^\/session$/, () => (session ? ok(view(session)) : problem(401, 'sign-in-required', 'Sign in first.'))],
  ['POST', /^\/session$/, (_, body) => {
    if (body.password === 'wrong') return problem(403, 'bad-credentials', 'E-mail or password do not match. Check both; after several tries you must wait a moment.');
    session = body.email.startsWith('admin') ? world.users[0] : world.users[1];
    return ok(view(session));
  }],
  ['DELETE', /^\/session$/, () => { session = null; return { status: 204 }; }],
  ['POST', /^\/session\/password$/, (_, body) => (body.new.length < 10 ? problem(422, 'invalid', 'The new password is too short.', [{ field: 'new', message: 'Use at least 10 characters.' }]) : { status: 204 })],
  ['GET', /^\/setup$/, () => ok({ needed: false })],
  ['GET', /^\/servers$/, (_, __, query) => {
    const all = [...world.servers.values()];
    const limit = Number(query.get('limit') ?? 100);
    const from = Number(query.get('after') ?? 0);
    return ok({ items: all.slice(from, from + limit), total: all.length, next: from + limit < all.length ? String(from + limit) : null });
  }],
  ['POST', /^\/servers$/, (_, body) => {
    if (body.name.length > 20) return problem(422, 'invalid', 'The server was not created: its name is too long.', [{ field: 'name', message: 'At most 20 characters in the stand-in.' }]);
    const server = world.makeServer(world.servers.size, body);
    install(server);
    world.emit({ type: 'server', server });
    return ok(server, 201);
  }],
  ['GET', /^\/servers\/([^/]+)$/, ([id]) => withServer(id, ok)],
  ['PATCH', /^\/servers\/([^/]+)$/, ([id], body) => withServer(id, (server) => {
    const { generation, ...rest } = body;
    if (generation !== undefined && generation !== null && generation !== server.generation) return problem(409, 'changed', 'Somebody else changed this server in the meantime. Look at what is there now, then change it again.');
    Object.assign(server, rest, { generation: server.generation + 1, variables: { ...server.variables, ...rest.variables } });
    world.emit({ type: 'server', server });
    return ok(server);
  })],
  ['DELETE', /^\/servers\/([^/]+)$/, ([id]) => withServer(id, () => { world.servers.delete(id); world.emit({ type: 'server_removed', id }); return { status: 202 }; })],
  ['POST', /^\/servers\/([^/]+)\/power$/, ([id], body) => withServer(id, (server) => {
    const action = server.actions[body.action];
    if (!action.allowed) return problem(409, 'state-forbids', action.reason);
    power(server, body.action);
    return ok(server, 202);
  })],
  ['POST', /^\/servers\/([^/]+)\/install$/, ([id]) => withServer(id, (server) => { world.setState(server, 'installing'); install(server); return ok(server, 202); })],
  ['GET', /^\/servers\/([^/]+)\/stats$/, ([id], _, query) => withServer(id, () => {
    const week = query.get('window') === 'week';
    const step = week ? 60 : 1;
    const length = week ? 7 * 1440 : 3600;
    const now = Date.now();
    const samples = Array.from({ length }, (__, i) => ({ ...world.sample(1, now - (length - i) * step * 1000) })).filter((s, i) => i < length * 0.4 || i > length * 0.45);
    return ok({ window: week ? 'week' : 'hour', step_s: step, samples });
  })],
  ['GET', /^\/servers\/([^/]+)\/activity$/, ([id]) => ok({ items: [
    { n: 5, at: world.iso(Date.now() - 6e5), server: id, kind: 'restart', text: 'Restarted after a crash (out of memory, 1024 of 1024 MiB). 3rd time today; give it more memory in its settings.', took_ms: 1840, automatic: true },
    { n: 4, at: world.iso(Date.now() - 6.1e5), server: id, kind: 'crash', text: 'The server ran out of memory (limit 1024 MiB).', took_ms: null, automatic: false },
    { n: 3, at: world.iso(Date.now() - 5e7), server: id, kind: 'recovery', text: 'The agent was restarted and took up the running server; players noticed nothing.', took_ms: 140, automatic: true },
    { n: 2, at: world.iso(Date.now() - 9e7), server: id, kind: 'power', text: 'Started, as kim@example.org asked.', took_ms: 620, automatic: false },
    { n: 1, at: world.iso(Date.now() - 9.1e7), server: id, kind: 'install', text: 'Installed.', took_ms: 14200, automatic: false },
  ] })],
  ['GET', /^\/templates$/, () => list(world.templates)],
  ['GET', /^\/templates\/([^/]+)$/, ([id]) => { const found = world.templates.find((item) => item.id === id || item.slug === id); return found ? ok(found) : problem(404, 'not-found', 'There is no such template.'); }],
  ['POST', /^\/templates$/, (_, body) => (body.source.includes('[start]') ? ok(world.templates[0], 201) : problem(422, 'invalid', 'The template has no start command.', [{ field: 'source', message: 'line 3, column 1: a table [start] with a command is missing.' }]))],
  ['PUT', /^\/templates\/([^/]+)$/, ([id], body) => (body.source.includes('[start]') ? ok(world.templates.find((item) => item.id === id)) : problem(422, 'invalid', 'The template was not changed: it has no start command.', [{ field: 'source', message: 'line 3, column 1: a table [start] with a command is missing.' }]))],
  ['DELETE', /^\/templates\/([^/]+)$/, () => problem(409, 'in-use', 'Three servers were made from this template. Delete them first, or keep it.')],
  ['GET', /^\/nodes$/, () => list(world.nodes)],
  ['GET', /^\/nodes\/([^/]+)\/allocations$/, ([id]) => list([...world.servers.values()].filter((s) => s.node.id === id).flatMap((s) => s.endpoints.map((e) => ({ address: e.address, port: e.port, server: s.id }))).concat([{ address: '203.0.113.7', port: 26000, server: null }, { address: '203.0.113.7', port: 26001, server: null }]))],
  ['POST', /^\/nodes\/([^/]+)\/join-token$/, () => ok({ token: 'npj_4f9c2b7d8e1a4c55b0f3', expires_at: world.iso(Date.now() + 36e5) })],
  ['POST', /^\/nodes\/([^/]+)\/allocations$/, () => ({ status: 204 })],
  ['GET', /^\/users$/, () => list(world.users)],
  ['POST', /^\/users$/, (_, body) => { const user = { id: randomUUID(), email: body.email, role: body.role ?? 'user', created_at: world.iso(), servers: 0 }; world.users.push(user); return ok(user, 201); }],
  ['GET', /^\/keys$/, () => list(keys)],
  ['POST', /^\/keys$/, (_, body) => { const key = { id: randomUUID(), user: '', name: body.name, prefix: 'np_91bc', created_at: world.iso() }; keys.push(key); return ok({ key, token: `np_91bc${randomUUID().replaceAll('-', '')}` }, 201); }],
  ['DELETE', /^\/keys\/([^/]+)$/, ([id]) => { keys.splice(keys.findIndex((key) => key.id === id), 1); return { status: 204 }; }],
  ['GET', /^\/components$/, () => ok({ as_of: world.iso(), stale_reason: null, renewal: { window: 'Sun 04:00-05:00', next_at: world.iso(Date.now() + 3e8), until: null, renewing: null, asked: [], waits_for: null, last: { at: world.iso(Date.now() - 4e5), component: 'api-1', renewed: true, text: 'came back within 184 ms' } }, components: [
    { name: 'supervisor', role: 'supervisor', pid: 812, state: 'ready', started_at: world.iso(Date.now() - 8e8), restarts: 0, last_recovery_ms: null, last_exit: null, detail: null, supervision: supervision('keeper', null) },
    { name: 'api-1', role: 'api', pid: 1411, state: 'ready', started_at: world.iso(Date.now() - 4e5), restarts: 2, last_recovery_ms: 184, last_exit: 'was ended by SIGKILL', detail: null, supervision: supervision('supervisor', 184) },
    { name: 'api-2', role: 'api', pid: null, state: 'backing_off', started_at: world.iso(Date.now() - 4e3), restarts: 9, last_recovery_ms: 201, last_exit: 'ended with exit code 101', detail: 'Started again in 4 s.', supervision: supervision('supervisor', 201) },
    { name: 'agent', role: 'agent', pid: 830, state: 'degraded', started_at: world.iso(Date.now() - 8e8), restarts: 1, last_recovery_ms: 96, last_exit: 'was ended by SIGKILL', detail: 'It does not run as root: every game server runs as the same user.', supervision: supervision('supervisor', 96) },
  ] })],
  ['GET', /^\/components\/history$/, (_, __, query) => {
    const limit = Number(query.get('limit') ?? 200);
    const from = Number(query.get('after') ?? 0);
    return ok({ items: history.slice(from, from + limit), total: history.length, next: from + limit < history.length ? String(from + limit) : null });
  }],
  ['GET', /^\/overview$/, () => ok({ warnings: [
    { level: 'error', text: 'Node fra-2 does not answer since 14:02. Its 3 servers are shown as last known, and go on if the machine does.' },
    { level: 'warning', text: 'The agent on local does not run as root, so games are not separated from each other. Start NodePanel as root, or accept this on a machine of your own.' },
  ], nodes: 3, nodes_online: 1, servers: world.servers.size, servers_running: 6, users: world.users.length })],
];

/** As long as there are servers: an empty installation has no history either. */
const KINDS = [
  { component: 'api-1', occasion: 'fault', why: 'was killed by SIGKILL', what: 'started again', took_ms: 184, tries: 1, observed_by: 'supervisor', lost: 'The requests that it had accepted and not answered; the panel sends reads and keyed writes again. Nothing that was acknowledged.' },
  { component: 'agent', occasion: 'drill', why: 'was killed by SIGKILL', what: 'started again', took_ms: 96, tries: 1, observed_by: 'supervisor', lost: 'Nothing: the game servers went on.' },
  { component: 'supervisor', occasion: 'drill', why: 'was killed by SIGKILL', what: 'started again; took over 4 workers that had gone on', took_ms: 61, tries: 1, observed_by: 'keeper', lost: 'Nothing: the processes that it keeps went on.' },
  { component: 'api-2', occasion: 'planned', why: 'was replaced by a new build', what: 'started again', took_ms: 240, tries: 1, observed_by: 'supervisor', lost: 'Nothing: it answered what it had accepted.' },
  { component: 'api-2', occasion: null, why: 'did not become ready with the build 3f9c1a', what: 'put back on the build before', took_ms: null, tries: 3, observed_by: 'supervisor', lost: null },
  { component: 'supervisor', occasion: 'boot', why: 'ended with the machine', what: 'started again by systemd', took_ms: null, tries: 1, observed_by: 'supervisor', lost: 'What ran on the machine ended with it; what was acknowledged is on disk. Game servers that should run are started again.' },
];
const history = Array.from({ length: world.servers.size * 6 }, (_, i) => ({ host: 'control-1', at: world.iso(Date.now() - 4e5 * (i + 1) ** 1.5), ...KINDS[i % KINDS.length] }));

function supervision(restarted_by, took_ms) {
  const proof = took_ms === null ? null : { at: world.iso(Date.now() - 4e5), occasion: 'fault', why: 'was killed by SIGKILL', took_ms, observed_by: 'supervisor' };
  return { restarted_by, at_boot: { kind: 'enabled', unit: 'nodepanel.service' }, proof, doubts: proof ? [] : ['supervisor was never seen to come back.'] };
}

function withServer(id, answer) {
  const server = world.servers.get(id);
  return server ? answer(server) : problem(404, 'not-found', 'There is no such server, or you may not see it.');
}

function power(server, action) {
  const console = world.consoles.get(server.id);
  console.print(`${action[0].toUpperCase()}${action.slice(1)} was asked for.`, 'sys');
  const start = () => { world.setState(server, 'starting'); setTimeout(() => { console.print('Server listening on port 25565'); world.setState(server, 'running'); }, 1500); };
  if (action === 'start') return start();
  if (action === 'kill') return world.setState(server, 'stopped', 'Stopped by SIGKILL, as asked or because it took too long to stop.');
  world.setState(server, 'stopping');
  setTimeout(() => (action === 'restart' ? start() : world.setState(server, 'stopped')), 1200);
}

function install(server) {
  let percent = 0;
  const console = world.consoles.get(server.id);
  const timer = setInterval(() => {
    percent += 9;
    console.print(`installing part ${percent} of 100`);
    if (percent < 100) {
      Object.assign(server, { install_percent: percent, reason: `Being installed (${percent} %): Fetching parts.`, generation: server.generation + 1 });
      return world.emit({ type: 'server', server });
    }
    clearInterval(timer);
    server.install = { state: 'succeeded', serial: 1, at: world.iso(), took_ms: 4000 };
    power(server, 'start');
  }, 400);
}

function command(server, line) {
  const console = world.consoles.get(server.id);
  const n = console.print(line, 'in');
  const [word, figure] = line.split(' ');
  if (word === 'flood') {
    const each = Number(figure ?? 5000) / 50;
    let left = 500;
    const timer = setInterval(() => { for (let i = 0; i < each; i += 1) console.print(`flood line ${left * each - i} \x1b[36m${'='.repeat(60)}\x1b[0m`); if (--left === 0) clearInterval(timer); }, 20);
  } else if (word === 'crash') world.setState(server, 'crashed');
  else if (word === 'colours') for (let i = 30; i < 38; i += 1) console.print(`\x1b[${i}m colour ${i} \x1b[${i + 60}m bright \x1b[0m \x1b[38;2;255;${i * 4};0m true colour \x1b[2Jnot cleared`);
  else console.print(`[Server] ${line}`);
  return n;
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://mock');
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  if (url.pathname.startsWith('/mock/fault/')) {
    fault = url.pathname.split('/')[3];
    if (fault !== 'ok') for (const socket of sockets) if (socket !== request.socket) socket.destroy();
    return response.end(fault);
  }
  if (fault === 'hang') return undefined;
  if (fault === 'cut') return request.socket.destroy();
  if (fault === 'html') return response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>502 Bad Gateway</h1>');
  if (fault === 'proxy401') return response.writeHead(401, { 'content-type': 'text/html' }).end('<h1>Sign in to the proxy</h1>');
  if (!url.pathname.startsWith('/api/')) return page(url, response);
  if (url.pathname === '/api/v1/events') return events(response);
  const path = url.pathname.replace('/api/v1', '');
  const key = request.headers['idempotency-key'];
  let answer = key === undefined ? undefined : done.get(key);
  if (answer === undefined) {
    if (fault === 'ended') answer = problem(401, 'session-ended', 'Your session has ended.');
    const route = routes.find(([method, pattern]) => method === request.method && pattern.test(path));
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : {};
    answer ??= route === undefined ? problem(404, 'no-such-endpoint', 'The stand-in does not know this address.') : route[2](route[1].exec(path).slice(1), body, url.searchParams);
    if (key !== undefined) done.set(key, answer);
  }
  const type = answer.problem ? 'application/problem+json' : 'application/json';
  response.writeHead(answer.status, { 'content-type': type });
  response.end(answer.problem || answer.body !== undefined ? JSON.stringify(answer.problem ?? answer.body) : undefined);
  return undefined;
});

function page(url, response) {
  const name = url.pathname.slice(1);
  const file = name !== '' && existsSync(new URL(name, dist)) ? name : 'index.html';
  response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-security-policy': CSP });
  response.end(readFileSync(new URL(file, dist)));
}

function events(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const send = (event) => response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  send({ type: 'hello', version: '0.1.0', instance: 'mock' });
  const beat = setInterval(() => response.write(': beat\n\n'), 1000);
  const off = world.onEvent(send);
  response.on('close', () => { clearInterval(beat); off(); });
}

const websockets = new WebSocketServer({ noServer: true });
server.on('upgrade', (request, socket, head) => {
  if (fault === 'hang') return;
  if (fault !== 'ok') return void socket.destroy();
  websockets.handleUpgrade(request, socket, head, (ws) => attach(ws, new URL(request.url, 'http://mock')));
});

function attach(ws, url) {
  const id = url.pathname.split('/')[4];
  const console = world.consoles.get(id);
  if (console === undefined) return ws.close();
  const after = url.searchParams.has('after') ? Number(url.searchParams.get('after')) : console.next - 1 - Number(url.searchParams.get('tail') ?? 100);
  ws.send(JSON.stringify({ at: { first: console.lines[0]?.n ?? 1, next: console.next } }));
  ws.send(JSON.stringify({ state: { connected: world.servers.get(id).state !== 'unreachable', reason: world.servers.get(id).state === 'unreachable' ? 'Node fra-2 does not answer. The console goes on by itself when it does.' : null } }));
  ws.send(console.lines.filter((line) => line.n > after).map((line) => JSON.stringify(line)).join('\n'));
  let batch = [];
  const reader = (line) => { if (batch.push(JSON.stringify(line)) === 1) setImmediate(() => { ws.send(batch.join('\n')); batch = []; }); };
  console.readers.add(reader);
  const beat = setInterval(() => ws.send(JSON.stringify({ beat: Date.now() })), 2000);
  ws.on('close', () => { console.readers.delete(reader); clearInterval(beat); });
  ws.on('message', (data) => {
    const { command: sent } = JSON.parse(data.toString());
    const before = done.get(sent.key);
    const line = before ?? command(world.servers.get(id), sent.line);
    done.set(sent.key, line);
    ws.send(JSON.stringify({ sent: { key: sent.key, line } }));
  });
  return undefined;
}

server.on('connection', (socket) => { sockets.add(socket); socket.on('close', () => sockets.delete(socket)); });
server.listen(port, '127.0.0.1', () => console.log(`stand-in for the API on http://127.0.0.1:${port}`));
