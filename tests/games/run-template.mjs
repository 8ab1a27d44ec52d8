// Runs a rendered template the way an agent does, without an agent: to see that a template works, and what it costs.
//
//   cargo run -q -p nodepanel-types --example render_template -- 25600 < templates/minecraft.toml |
//     node tests/games/run-template.mjs DIRECTORY [--uid 60001] [--console "help"] [--query minecraft] [--bot 1.16.5]
//
// Writes and runs the steps of the installation (unless DIRECTORY exists), starts the server, waits until it is ready,
// types the console command, asks it as a server list would, lets a player join and chat, stops it, and prints one
// JSON object with times and sizes. Packages must be there already. Code 1 when something is not as it should be.
// Everything of the template runs as the given user id (root needed), with a minimal environment, and no shell.

import { spawn, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    uid: { type: 'string' },
    console: { type: 'string' },
    query: { type: 'string' },
    bot: { type: 'string' }
  }
})
const directory = resolve(positionals[0])
const uid = options.uid === undefined ? undefined : Number(options.uid)
const rendered = JSON.parse(readFileSync(0, 'utf8'))
const here = import.meta.dirname
const report = { user: uid ?? process.getuid() }

const since = start => Math.round(performance.now() - start)

function own (path) {
  if (uid !== undefined) chownSync(path, uid, uid)
}

function writeFile ({ path, content, keep_existing: keep, executable }) {
  const target = join(directory, path)
  if (keep && existsSync(target)) return
  const missing = []
  for (let parent = dirname(target); !existsSync(parent); parent = dirname(parent)) missing.unshift(parent)
  for (const parent of missing) {
    mkdirSync(parent)
    own(parent)
  }
  writeFileSync(target, content, { mode: executable ? 0o755 : 0o644 })
  own(target)
}

function start (command, env) {
  const minimal = {
    HOME: directory,
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games',
    LANG: 'C.UTF-8',
    // What a machine needs to reach the internet at all.
    ...Object.fromEntries(['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE']
      .filter(name => process.env[name]).map(name => [name, process.env[name]]))
  }
  return spawn(command[0], command.slice(1), { cwd: directory, env: { ...minimal, ...env }, uid, gid: uid })
}

async function install () {
  const began = performance.now()
  mkdirSync(directory, { recursive: true })
  own(directory)
  for (const step of rendered.install) {
    if (step.step === 'file') {
      writeFile(step)
      continue
    }
    const child = start(step.command, step.env)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', data => { output += data })
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`${step.title}: code ${code}\n${output}`)
  }
  report.install_ms = since(began)
  report.installed_kib = Number(execFileSync('du', ['-sk', directory], { encoding: 'utf8' }).split('\t')[0])
}

/** Resolves with the first line of `lines` that `test` accepts; rejects after `limit` ms. */
function line (lines, test, limit) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no such line within ${limit} ms: ${test}`)), limit)
    lines.push(text => {
      if (!test(text)) return false
      clearTimeout(timer)
      resolve(text)
      return true
    })
  })
}

function watch (stream, waiting, log) {
  createInterface({ input: stream }).on('line', text => {
    log.push(text)
    for (const [i, accept] of [...waiting.entries()].reverse()) if (accept(text)) waiting.splice(i, 1)
  })
}

async function play (version, port, gameLines) {
  const bot = spawn('node', [join(here, 'bot.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting = []
  watch(bot.stdout, waiting, [])
  const event = name => line(waiting, text => JSON.parse(text).event === name, 30_000)
  const began = performance.now()
  bot.stdin.write(JSON.stringify({ do: 'connect', port, version, username: 'Visitor' }) + '\n')
  await event('joined')
  report.joined_ms = since(began)
  const heard = line(gameLines, text => text.includes('hello from the bot'), 10_000)
  bot.stdin.write(JSON.stringify({ do: 'chat', text: 'hello from the bot' }) + '\n')
  report.chat_in_console = await heard
  bot.stdin.end()
  await once(bot, 'close')
}

const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

async function run () {
  const { launch, port } = rendered
  launch.files.forEach(writeFile)
  const began = performance.now()
  const game = start(launch.command, launch.env)
  const waiting = []
  const log = []
  watch(game.stdout, waiting, log)
  watch(game.stderr, waiting, log)
  const closed = once(game, 'close')
  try {
    if (launch.ready.by === 'line') {
      const pattern = new RegExp(launch.ready.pattern)
      report.ready_line = await Promise.race([
        line(waiting, text => pattern.test(text), launch.ready_timeout_ms),
        closed.then(() => { throw new Error('the server ended before it was ready') })
      ])
    }
    report.ready_ms = since(began)
    // The engine of some games answers only some frames after it says that it is ready.
    await wait(1_500)
    if (options.console !== undefined) {
      const answer = line(waiting, () => true, 5_000)
      game.stdin.write(options.console + '\n')
      report.console_answer = await answer
    }
    if (options.query !== undefined) {
      report.query = JSON.parse(execFileSync('node', [join(here, 'query.mjs'), options.query, '127.0.0.1', port]))
    }
    if (options.bot !== undefined) await play(options.bot, port, waiting)
    const status = readFileSync(`/proc/${game.pid}/status`, 'utf8')
    report.rss_kib = Number(/VmRSS:\s+(\d+)/.exec(status)[1])
    report.threads = Number(/Threads:\s+(\d+)/.exec(status)[1])
    report.ran_as = Number(/Uid:\s+(\d+)/.exec(status)[1])
    const asked = performance.now()
    if (launch.stop.by === 'command') game.stdin.write(launch.stop.line + '\n')
    else process.kill(game.pid, launch.stop.signal)
    const timer = setTimeout(() => game.kill('SIGKILL'), launch.stop_timeout_ms)
    const [code, signal] = await closed
    clearTimeout(timer)
    report.stop_ms = since(asked)
    report.exit = signal ?? code
  } catch (error) {
    game.kill('SIGKILL')
    console.error(log.slice(-40).join('\n'))
    throw error
  }
}

if (!existsSync(directory)) await install()
await run()
console.log(JSON.stringify(report, null, 2))
