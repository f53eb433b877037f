// Counts what the services and the servers report. The picture and the table read it; nothing else writes it.

import { habits } from './servers.js'

export const servers = Object.keys(habits)

export function createTally(clients) {
  const entries = Object.fromEntries(
    servers.map((server) => [server, Object.fromEntries(clients.map((client) => [client, emptyEntry()]))]),
  )
  return {
    clients,
    of: (server, client) => entries[server][client],
    count(event) {
      // A server knows its connections by port only.
      const entry = event.client
        ? entries[event.server][event.client]
        : Object.values(entries[event.server]).find(({ connections }) => connections.has(event.port))
      count[event.type](entry, event)
    },
  }
}

const emptyEntry = () => ({
  sent: 0,
  answered: 0,
  reused: 0, // answers that came over a connection that had answered before
  failed: 0,
  codes: new Map(), // of the failures
  opened: 0,
  reasons: new Map(), // of the closed connections
  connections: new Map(), // by local port
  received: new Set(), // by the server: request ids
  repeated: 0, // requests the server received again
  replayed: 0, // requests sent again, where the client can tell
  explained: '', // how long an idle connection is kept and why, where the client can tell
})

const count = {
  sent(entry) {
    entry.sent++
  },
  received(entry, { id }) {
    if (entry.received.has(id)) entry.repeated++
    entry.received.add(id)
  },
  answered(entry, { port }) {
    entry.answered++
    const connection = entry.connections.get(port)
    if (connection.answers++ > 0) entry.reused++
    connection.usedAt = Date.now()
  },
  failed(entry, { code }) {
    entry.failed++
    add(entry.codes, code, 1)
  },
  opened(entry, { port }) {
    entry.opened++
    entry.connections.set(port, { answers: 0, usedAt: Date.now(), expired: false, closedAt: undefined, reason: '' })
  },
  // Some clients close their end so soon after the server's goodbye that it looks like their own idea.
  // The server's timer went off first: that is the reason, whichever report comes in first.
  expired(entry, { port }) {
    const connection = entry.connections.get(port)
    connection.expired = true
    if (connection.reason !== 'client') return
    connection.reason = 'server-fin'
    add(entry.reasons, 'client', -1)
    add(entry.reasons, 'server-fin', 1)
  },
  closed(entry, { port, reason }) {
    const connection = entry.connections.get(port)
    connection.closedAt = Date.now()
    connection.reason = reason === 'client' && connection.expired ? 'server-fin' : reason
    add(entry.reasons, connection.reason, 1)
  },
  replayed(entry, { times }) {
    entry.replayed = times
  },
  explained(entry, { text }) {
    entry.explained = text
  },
}

const add = (map, name, times) => map.set(name, (map.get(name) ?? 0) + times)

/** `['server-fin 12', 'reset 1']`, the most frequent first. */
export const inWords = (map) =>
  [...map]
    .filter(([, times]) => times > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([name, times]) => `${name} ${times}`)
