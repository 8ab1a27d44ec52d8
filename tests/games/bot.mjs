// A Minecraft player for tests, led over standard input and seen on standard output, one JSON object per line.
//
// In:  {"do": "connect", "host": "127.0.0.1", "port": 25565, "version": "1.16.5", "username": "Steve"}
//      {"do": "chat", "text": "hello"}
//      {"do": "status"}
//      {"do": "quit"}
// Out: {"event": ..., "at": milliseconds since 1970, ...} with one of these events:
//      ready                                the process reads commands
//      login                                the server accepted the name
//      joined     {username, x, y, z}       the player stands in the world
//      chat       {from, text}              somebody said something; `from` is null for the server
//      keepalive  {count}                   the server asked whether the player is there, and was answered
//      status     {connected, keepalives, last_packet_ms}   the answer to "status"
//      kicked     {reason}                  the server threw the player out
//      error      {message}                 the connection failed, or a line of input was not understood
//      end        {reason}                  the connection is over, whatever ended it
//
// It never connects again by itself: a test that sees no "end" knows that the player stayed connected. It ends with
// code 0 after "quit" or when its input ends, so it cannot outlive the test that started it.

import { createInterface } from 'node:readline'
import mineflayer from 'mineflayer'

let bot = null
let keepalives = 0
let lastPacketAt = null

function tell (event, details = {}) {
  process.stdout.write(JSON.stringify({ event, at: Date.now(), ...details }) + '\n')
}

function connect ({ host = '127.0.0.1', port, version, username = 'Bot' }) {
  if (bot !== null) throw new Error('the bot is connected already')
  bot = mineflayer.createBot({ host, port, version, username, auth: 'offline', hideErrors: true })
  bot.on('login', () => tell('login'))
  bot.once('spawn', () => {
    const { x, y, z } = bot.entity.position
    tell('joined', { username: bot.username, x, y, z })
  })
  bot.on('chat', (from, text) => tell('chat', { from, text }))
  bot.on('message', (message, position, sender) => {
    // What players say arrives as "chat" too; this is for the server's own words.
    if (position === 'system') tell('chat', { from: null, text: message.toString() })
  })
  bot.on('kicked', reason => tell('kicked', { reason: typeof reason === 'string' ? reason : JSON.stringify(reason) }))
  bot.on('error', error => tell('error', { message: error.message }))
  bot.on('end', reason => {
    bot = null
    tell('end', { reason })
  })
  bot._client.on('packet', (_, meta) => {
    lastPacketAt = Date.now()
    if (meta.name === 'keep_alive') tell('keepalive', { count: ++keepalives })
  })
}

function obey (command) {
  switch (command.do) {
    case 'connect':
      return connect(command)
    case 'chat':
      if (bot === null) throw new Error('the bot is not connected')
      return bot.chat(String(command.text))
    case 'status':
      return tell('status', {
        connected: bot !== null && bot.entity !== undefined,
        keepalives,
        last_packet_ms: lastPacketAt === null ? null : Date.now() - lastPacketAt
      })
    case 'quit':
      return quit()
    default:
      throw new Error(`there is no command "${command.do}"`)
  }
}

function quit () {
  if (bot === null) process.exit(0)
  bot.once('end', () => process.exit(0))
  bot.quit()
  setTimeout(() => process.exit(0), 1000).unref()
}

const input = createInterface({ input: process.stdin })
input.on('line', line => {
  try {
    obey(JSON.parse(line))
  } catch (error) {
    tell('error', { message: error.message })
  }
})
input.on('close', quit)
tell('ready')
