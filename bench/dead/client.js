// The process of one contestant, in the client's namespace. A lane is one connection to an origin of its own, in one scene.
// Answers these calls:
//
//   open(contestant, lanes)   connects every lane: { name, url, start?, method, path, large }
//   start(which)              sends the requests of the lanes that start so; their ids are lanes' names
//   touch()                   has every lane that is idle now serve one more request
//   records()                 what has become of each lane so far: { name, at, answered, code }, or { name } of those of
//                             which nothing is known. Of a lane that idles, it is known when its socket is closed
//   again()                   sends one more request in every lane: { name, took, code? }

import { subscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { monotonic } from '../../test/support/wire/clock.js'
import { ID_HEADER } from '../../test/support/wire/servers/ledger.js'
import { answer } from '../../test/support/wire/talk.js'
import { load } from './contestants/index.js'
import { CAUSED_BY } from './judge.js'

const SMALL = JSON.stringify({ account: '4711', amount: 12.5, currency: 'EUR', text: 'is anybody there?' })
/** Far more than is sent before the wire is cut, and than a server takes that does not read. */
const LARGE = 'x'.repeat(2_000_000)
/** Longest time that one more request may take. */
const PATIENCE = 20_000

/** What became of each lane, by its name. */
const known = new Map()
/** Lanes that idle, by their ports. */
const idlers = new Map()
let lanes
let send

answer({ open, start, touch, records, again })

async function open(contestant, given) {
  lanes = given
  watchSockets()
  send = await (await load(contestant)).open()
  await Promise.all(lanes.map(({ name, url }) => ask(`${name}.first`, `${url}/`)))
}

/** Every socket that this process opens, whoever opens it. Nothing is changed: an error goes where it would have gone. */
function watchSockets() {
  subscribe('net.client.socket', ({ socket }) => {
    let port
    socket.once('connect', () => {
      port = String(socket.remotePort)
    })
    socket.once('close', () => note(idlers.get(port), { answered: false, code: codesOf(socket.errored) }))
  })
}

function start(which) {
  for (const { name, url, method, path, large, start } of lanes) {
    if (start !== which) continue
    const body = method === 'GET' ? undefined : large ? LARGE : SMALL
    ask(name, url + path, method, body).then(
      () => note(name, { answered: true }),
      (error) => note(name, { answered: false, code: codesOf(error) }),
    )
  }
}

async function touch() {
  const idle = lanes.filter(({ start }) => start === undefined || start === 'late')
  await Promise.all(idle.map(({ name, url }) => ask(`${name}.second`, `${url}/`)))
  for (const { name, url, start } of idle) if (start === undefined) idlers.set(new URL(url).port, name)
}

function records() {
  return lanes.map(({ name }) => known.get(name) ?? { name })
}

function again() {
  return Promise.all(
    lanes.map(async ({ name, url }) => {
      const at = monotonic()
      const code = await Promise.race([outcomeOf(ask(`${name}.again`, `${url}/`)), sleep(PATIENCE, 'no answer')])
      return { name, took: monotonic() - at, ...(code !== undefined && { code }) }
    }),
  )
}

/** The first that is known of it. */
function note(name, outcome) {
  if (name !== undefined && !known.has(name)) known.set(name, { name, at: monotonic(), ...outcome })
}

const outcomeOf = (sent) => sent.then(() => undefined, codesOf)

function ask(id, url, method = 'POST', body = method === 'POST' ? SMALL : undefined) {
  const headers = { [ID_HEADER]: id }
  if (body === undefined) return send(url, { method, headers })
  headers['content-type'] = 'application/json'
  return send(url, { method, headers, body })
}

/** Longest chain of causes that is followed: some lead back to where they began. */
const DEEPEST = 4

/** The codes in a chain of causes, what the caller sees first; undefined for no error at all. */
function codesOf(error) {
  const codes = []
  for (let one = error; one && codes.length < DEEPEST; one = one.cause) codes.push(one.code ?? one.name)
  return error ? codes.join(CAUSED_BY) : undefined
}
