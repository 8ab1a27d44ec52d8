// A proxy between the browser and NodePanel that fails on purpose, as networks and other people's proxies do. It works on
// connections: it understands nothing of HTTP but where the head of a request ends.
//
//   ok             passes everything on
//   down           refuses connections and breaks those there are
//   html502        answers 502 with a page of its own
//   html401        answers 401 with a page of its own, as a proxy does that wants a sign-in
//   json401        answers 401 with JSON that is not NodePanel's
//   silent         accepts, takes what it gets and never answers; what is open now stays open and dead for ever
//   slow           passes everything on, but what comes back only after `delayMs`
import { connect, createServer } from 'node:net';

const PAGE = (words) => `<!doctype html><html><head><title>${words}</title></head><body><h1>${words}</h1><hr>proxy</body></html>`;
const ANSWERS = {
  html502: { status: '502 Bad Gateway', headers: { 'Content-Type': 'text/html' }, body: PAGE('502 Bad Gateway') },
  html401: { status: '401 Unauthorized', headers: { 'Content-Type': 'text/html', 'WWW-Authenticate': 'Negotiate' }, body: PAGE('401 Authorization Required') },
  json401: { status: '401 Unauthorized', headers: { 'Content-Type': 'application/json' }, body: '{"error":"unauthorized","code":"session-ended"}' },
};
export const FAULTS = ['down', 'silent', 'slow', ...Object.keys(ANSWERS)];

export class FaultyProxy {
  #upstream;
  #server = null;
  #port = 0;
  #mode = 'ok';
  #delayMs = 0;
  #links = new Set();

  constructor(upstream) {
    this.#upstream = new URL(upstream);
  }

  /** Starts one in front of the NodePanel at `upstream`, on a port of its own. */
  static async start(upstream) {
    const proxy = new FaultyProxy(upstream);
    await proxy.#listen();
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Fails in another way from now on. Returns when that began, in milliseconds since the epoch. */
  async become(mode, { delayMs = 0 } = {}) {
    if (mode !== 'ok' && !FAULTS.includes(mode)) throw new Error(`no such fault: ${mode}`);
    const began = Date.now();
    this.#mode = mode;
    this.#delayMs = delayMs;
    if (mode === 'down') this.#unlisten();
    else if (this.#server === null) await this.#listen();
    for (const link of [...this.#links]) link.become(mode);
    return began;
  }

  close() {
    this.#unlisten();
    for (const link of [...this.#links]) link.end();
  }

  async #listen() {
    this.#server = createServer((client) => this.#accept(client));
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = this.#server.address().port;
  }

  #unlisten() {
    this.#server?.close();
    this.#server = null;
  }

  #accept(client) {
    client.setNoDelay(true);
    const answer = ANSWERS[this.#mode];
    const link = answer === undefined ? new Link(client, this.#upstream, () => this.#delayMs) : new Canned(client, answer);
    this.#links.add(link);
    client.once('close', () => this.#links.delete(link));
    link.become(this.#mode);
  }
}

/** A browser's connection and the one to NodePanel that belongs to it. */
class Link {
  #client;
  #server;
  #delay;
  /** What came from NodePanel and is held back, oldest first. */
  #held = [];
  #dead = false;

  constructor(client, upstream, delay) {
    this.#client = client;
    this.#delay = delay;
    this.#server = connect(Number(upstream.port), upstream.hostname);
    this.#server.setNoDelay(true);
    client.on('data', (data) => this.#dead || this.#server.write(data));
    this.#server.on('data', (data) => this.#back(() => this.#client.write(data)));
    this.#server.on('end', () => this.#back(() => this.#client.end()));
    client.on('close', () => this.#server.destroy());
    client.on('error', () => this.end());
    this.#server.on('error', () => this.#dead || this.end());
  }

  become(mode) {
    if (mode === 'silent') this.#die();
    else if (mode !== 'ok' && mode !== 'slow') this.end();
    else if (mode === 'ok') for (const held of this.#held.splice(0)) held.now();
  }

  end() {
    for (const { timer } of this.#held.splice(0)) clearTimeout(timer);
    this.#client.destroy();
    this.#server.destroy();
  }

  /** The browser is told nothing, now and ever: the way to it is gone. */
  #die() {
    this.#dead = true;
    this.#server.destroy();
    for (const { timer } of this.#held.splice(0)) clearTimeout(timer);
  }

  #back(run) {
    if (this.#dead) return;
    const delayMs = this.#delay();
    if (delayMs === 0 && this.#held.length === 0) {
      run();
      return;
    }
    const held = { timer: setTimeout(() => held.now(), delayMs), now: () => undefined };
    held.now = () => {
      clearTimeout(held.timer);
      this.#held = this.#held.filter((each) => each !== held);
      if (!this.#client.destroyed) run();
    };
    this.#held.push(held);
  }
}

/** A connection that the proxy answers itself. */
class Canned {
  #client;

  constructor(client, { status, headers, body }) {
    this.#client = client;
    let head = '';
    client.on('error', () => undefined);
    client.on('data', (data) => {
      head += data.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      const lines = Object.entries({ ...headers, 'Content-Length': String(Buffer.byteLength(body)), Connection: 'close' });
      client.end(`HTTP/1.1 ${status}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
    });
  }

  become(mode) {
    if (mode === 'ok') this.end();
  }

  end() {
    this.#client.destroy();
  }
}
