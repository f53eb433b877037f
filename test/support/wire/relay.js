/**
 * The relay: the process that is the wire. It creates two namespaces with a TUN device in each, copies packets between
 * them with a delay, and does what it is told on stdin, one JSON line a call, one JSON line an answer. When stdin ends,
 * also because the test process was killed, it removes the namespaces and every process in them.
 *
 * One loop without callbacks, which sleeps in the kernel until a packet arrives, one is due, or somebody speaks: exact,
 * and idle when the wire is.
 *
 * `node relay.js '{"server":{"namespace":…,"addresses":[…]},"client":{…}}'`
 */
import { readSync, writeSync } from 'node:fs'
import { monotonic } from './clock.js'
import { Lane } from './lane.js'
import { addNamespace, plugIn, removeNamespace } from './namespaces.js'
import { takePrecedence } from './precedence.js'
import { openTun, waitReadable } from './tun.js'

const STDIN = 0
const STDOUT = 1

const { server, client } = JSON.parse(process.argv[2])
const lanes = { toServer: new Lane(), toClient: new Lane() }
const buffer = Buffer.alloc(65_536)
/** The beginning of a line whose end has not come yet. */
let half = ''

const chosen = (direction) => {
  if (direction === 'both') return Object.values(lanes)
  if (!(direction in lanes)) throw new Error(`No direction "${direction}": 'both', 'toServer' or 'toClient'`)
  return [lanes[direction]]
}

const calls = {
  setDelay: (milliseconds, direction) => {
    if (!(milliseconds >= 0)) throw new Error(`A delay of ${milliseconds} ms`)
    for (const lane of chosen(direction)) lane.delay = milliseconds
  },
  cut: (direction, place) => chosen(direction).forEach((lane) => void lane.cut(place ?? undefined)),
  hold: (direction) => chosen(direction).forEach((lane) => void lane.hold()),
  drop: (direction, kind, count) => chosen(direction).forEach((lane) => void lane.drop(kind, count)),
  mend: (direction, place) => chosen(direction).forEach((lane) => void lane.mend(place ?? undefined)),
  counts: () => each((lane) => lane.counts()),
  trace: (since) => each((lane) => lane.trace(since)),
}

try {
  main()
} finally {
  for (const { namespace } of [server, client]) removeNamespace(namespace)
}

function main() {
  // The wire must not get longer because the machine is busy.
  takePrecedence()
  for (const { namespace } of [server, client]) addNamespace(namespace)
  const serverTun = openTun()
  const clientTun = openTun()
  plugIn(server.namespace, serverTun.name, server.addresses, client.addresses)
  plugIn(client.namespace, clientTun.name, client.addresses, server.addresses)
  say({ ready: true })
  run(serverTun.fd, clientTun.fd)
}

function run(serverFd, clientFd) {
  const { toServer, toClient } = lanes
  const fds = [STDIN, clientFd, serverFd]
  for (;;) {
    const wait = Math.min(toServer.nextDue, toClient.nextDue) - monotonic()
    const [spoken, fromClient, fromServer] = waitReadable(fds, wait)
    if (fromClient) read(clientFd, toServer)
    if (fromServer) read(serverFd, toClient)
    deliver(toServer, serverFd)
    deliver(toClient, clientFd)
    if (spoken && !listen()) return
  }
}

function read(fd, lane) {
  const length = readSync(fd, buffer)
  lane.enter(Buffer.from(buffer.subarray(0, length)), monotonic())
}

function deliver(lane, fd) {
  for (let packet = lane.leave(monotonic()); packet; packet = lane.leave(monotonic())) writeSync(fd, packet)
}

/** Does what stands on stdin; false when it has ended. */
function listen() {
  const length = readSync(STDIN, buffer)
  if (length === 0) return false
  const lines = (half + buffer.toString('utf8', 0, length)).split('\n')
  half = lines.pop()
  for (const line of lines) {
    const { id, call, args } = JSON.parse(line)
    try {
      say({ id, result: calls[call](...args) })
    } catch (error) {
      say({ id, error: error.message })
    }
  }
  return true
}

function say(message) {
  const line = Buffer.from(`${JSON.stringify(message)}\n`)
  for (let sent = 0; sent < line.length; ) sent += writeSync(STDOUT, line, sent)
}

function each(ask) {
  return { toServer: ask(lanes.toServer), toClient: ask(lanes.toClient) }
}
