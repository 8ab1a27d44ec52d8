// Starts a whole NodePanel of its own in a temporary directory, breaks it on purpose, and ends it with everything that it
// started. Finds the binary by NODEPANEL_BIN; without one, `cargo xtask test` says how to build it.
import { spawn, execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * After this long what should have come by itself counts as never coming. No test is about how fast something is, unless it
 * says so: this is for machines that are slow and busy, and only ends what would never end.
 */
export const NEVER_MS = 120_000;
/** Set: the targets in time decide too, not only what people see. For a quiet machine. */
export const JUDGE = Boolean(process.env.NODEPANEL_DRILL10_JUDGE);

export const ADMIN = { email: 'admin@example.org', password: 'correct horse battery' };

/** Waits until `probe` gives something else than `undefined`, and returns it. `describe` tells what is so instead. */
export async function until(what, probe, describe = undefined) {
  const deadline = Date.now() + NEVER_MS;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const words = await Promise.resolve(describe?.()).catch((error) => `what is so instead cannot be told: ${error.message}`);
      throw new Error(`${what}: not so after ${NEVER_MS / 1_000} s${words === undefined ? '' : `\n${words}`}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A port for the panel that is free, as is the one above it, which NodePanel takes for its nodes. */
async function freePort() {
  for (;;) {
    const port = await new Promise((resolve, reject) => {
      const server = createServer();
      server.on('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        server.close(() => resolve(port));
      });
    });
    if (port < 65_535 && (await canListen('127.0.0.1', port + 1))) return port;
  }
}

/** A port of the local node that no other program of this machine has. */
async function freeAllocation(api) {
  const [{ id: node }] = (await api('GET', '/nodes')).items;
  const { items } = await api('GET', `/nodes/${node}/allocations?limit=1000`);
  for (const { address, port, server } of items) {
    if (server === null && (await canListen(address, port))) return { node, address, port };
  }
  throw new Error('The local node has no free port.');
}

/** Whether a port is free for games of either kind. */
async function canListen(address, port) {
  const tcp = createServer();
  const udp = createSocket('udp4');
  const free = await Promise.all([
    new Promise((resolve) => tcp.once('error', () => resolve(false)).listen(port, address, () => resolve(true))),
    new Promise((resolve) => udp.once('error', () => resolve(false)).bind(port, address, () => resolve(true))),
  ]);
  await Promise.all([new Promise((resolve) => tcp.close(resolve)), new Promise((resolve) => (free[1] ? udp.close(resolve) : resolve()))]);
  return free.every(Boolean);
}

export class NodePanel {
  #binary;
  #up;
  #output = '';

  constructor(binary, dataDir, url) {
    this.#binary = binary;
    this.dataDir = dataDir;
    this.url = url;
  }

  /** Starts one and waits until its API is ready. */
  static async start() {
    const binary = process.env.NODEPANEL_BIN;
    if (!binary) throw new Error('NODEPANEL_BIN must name the nodepanel binary; `cargo xtask test` sets it.');
    const dataDir = await mkdtemp(join(tmpdir(), 'nodepanel-browser-'));
    const listen = `127.0.0.1:${await freePort()}`;
    const panel = new NodePanel(binary, dataDir, `http://${listen}`);
    const environment = { ...process.env, NODEPANEL_ADMIN_EMAIL: ADMIN.email, NODEPANEL_ADMIN_PASSWORD: ADMIN.password };
    panel.#up = spawn(binary, ['up', '--data-dir', dataDir, '--listen', listen], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const hear = (data) => {
      panel.#output = (panel.#output + data).slice(-20_000);
    };
    panel.#up.stdout.on('data', hear);
    panel.#up.stderr.on('data', hear);
    try {
      const ready = await until('NodePanel is ready', async () => {
        if (panel.#up.exitCode !== null) return false;
        const response = await fetch(`${panel.url}/readyz`, { signal: AbortSignal.timeout(10_000) });
        return response.ok ? true : undefined;
      });
      if (!ready) throw new Error(`nodepanel up ended with ${panel.#up.exitCode}`);
      const shell = await fetch(panel.url);
      if (!shell.ok) throw new Error(`the binary carries no panel; build web/ before it (${await shell.text()})`);
    } catch (error) {
      const output = panel.#output;
      await panel.stop();
      throw new Error(`NodePanel did not become ready. It said:\n${output}`, { cause: error });
    }
    return panel;
  }

  async #cli(...args) {
    const { stdout } = await run(this.#binary, [...args, '--data-dir', this.dataDir], { timeout: NEVER_MS });
    return stdout;
  }

  /** NodePanel's own processes, as `nodepanel status --json` gives them. */
  async status() {
    return JSON.parse(await this.#cli('status', '--json'));
  }

  /**
   * Takes every API server away and keeps it away: the supervisor is stopped, so that nothing restarts them, and they are
   * killed. Returns when that was, and the function that ends the outage.
   */
  async cutOff() {
    let components;
    const { supervisor, servers } = await until(
      'a supervisor and two API servers run',
      async () => {
        components = await this.status();
        const supervisor = components.find(({ role, pid }) => role === 'supervisor' && pid !== null);
        const servers = components.filter(({ role, pid }) => role === 'api' && pid !== null);
        return supervisor !== undefined && servers.length >= 2 ? { supervisor, servers } : undefined;
      },
      () => JSON.stringify(components),
    );
    process.kill(supervisor.pid, 'SIGSTOP');
    const at = Date.now();
    for (const { pid } of servers) process.kill(pid, 'SIGKILL');
    return { at, resume: () => process.kill(supervisor.pid, 'SIGCONT') };
  }

  /** A session of the administrator, for what a test needs besides the page. */
  async api() {
    const response = await fetch(`${this.url}/api/v1/session`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(ADMIN),
    });
    if (!response.ok) throw new Error(`signing in: ${response.status} ${await response.text()}`);
    const cookie = response.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ');
    return async (method, path, body) => {
      const answer = await fetch(`${this.url}/api/v1${path}`, {
        method,
        signal: AbortSignal.timeout(NEVER_MS),
        headers: { cookie, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text === '' ? undefined : JSON.parse(text);
    };
  }

  /** Makes, installs and starts a server that runs a command; returns it once it runs. */
  async serverRunning(name, command) {
    const api = await this.api();
    const templates = await api('GET', '/templates?limit=200');
    const template = templates.items.find(({ slug }) => slug === 'any-command');
    return this.serverOf(template.id, name, { COMMAND: command, READY_TEXT: 'ready' });
  }

  /** Makes, installs and starts a server of a template with a port named `game`; returns it once it runs. */
  async serverOf(template, name, variables = {}) {
    const api = await this.api();
    const { node, address, port } = await freeAllocation(api);
    const { id } = await api('POST', '/servers', { name, template, node, address, ports: { game: port }, variables, start: true });
    return until(`${name} runs`, async () => {
      const server = await api('GET', `/servers/${id}`);
      return server.state === 'running' ? server : undefined;
    }, async () => this.#account(api, id));
  }

  /** What a game has written into a file of its directory, which no part of NodePanel has passed on. */
  async linesOf(server, file) {
    const text = await readFile(join(this.dataDir, 'agent', 'servers', server.id, 'files', file), 'utf8').catch(() => '');
    return text.split('\n').filter(Boolean);
  }

  /** What is known of a server that does not do what it should. */
  async #account(api, id) {
    const { state, reason, since, as_of } = await api('GET', `/servers/${id}`);
    const { items } = await api('GET', `/servers/${id}/activity?limit=20`);
    const activity = items.map((entry) => `  ${JSON.stringify(entry)}`).join('\n');
    return `It is ${state} (${reason}) since ${since}, as of ${as_of}.\n${activity}\n${await this.logs()}`;
  }

  /** Stops everything, game servers too, and removes the directory. */
  async stop() {
    await this.#cli('stop', '--all').catch(() => undefined);
    if (this.#up.exitCode === null) {
      const ended = new Promise((resolve) => this.#up.once('exit', resolve));
      this.#up.kill('SIGINT');
      const late = setTimeout(() => this.#up.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(late);
    }
    await rm(this.dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  /** The newest lines of NodePanel's own logs, for a failing test's report. */
  async logs() {
    const tail = async (name) => (await readFile(join(this.dataDir, 'logs', name), 'utf8').catch(() => '')).slice(-4_000);
    return `${this.#output}\n${await tail('supervisor.log')}`;
  }
}
