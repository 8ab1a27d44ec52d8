// Asks a game server who plays, as a public server list would: node query.mjs TYPE HOST PORT
//
// TYPE is gamedig's name of the game: minecraft, openttd, openarena. Prints one JSON object
// {"name", "map", "version", "players", "max_players", "ping_ms"} and ends with code 0, or
// {"error": ...} and code 1 when nobody answers within two tries of two seconds.

import { GameDig } from 'gamedig'

const [type, host, port] = process.argv.slice(2)
if (port === undefined) {
  console.error('usage: node query.mjs TYPE HOST PORT')
  process.exit(2)
}

try {
  const state = await GameDig.query({
    type,
    host,
    port: Number(port),
    givenPortOnly: true,
    maxRetries: 2,
    socketTimeout: 2000
  })
  console.log(JSON.stringify({
    name: state.name,
    map: state.map,
    version: state.version ?? null,
    players: state.numplayers,
    max_players: Number(state.maxplayers),
    ping_ms: state.ping
  }))
} catch (error) {
  console.log(JSON.stringify({ error: error.message }))
  process.exitCode = 1
}
