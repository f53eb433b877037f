// The run as it happens: in a terminal a picture, redrawn in place; elsewhere plain lines, without escape codes.

import { paint } from './paint.js'
import { habits } from './servers.js'
import { inWords, servers } from './tally.js'

/** `{ show(event), end() }`. */
export function createPicture({ tally, duration, output = process.stdout }) {
  const start = Date.now()
  const seconds = () => ((Date.now() - start) / 1000).toFixed(1).padStart(4)
  const height = 4 + servers.length * (2 + 2 * tally.clients.length)
  const drawable = output.isTTY && process.env.TERM !== 'dumb' && output.rows > height && output.columns >= 80
  return drawable ? live({ tally, duration, seconds, output }) : lines({ tally, seconds, output })
}

const ESC = '\x1b['
const hideCursor = `${ESC}?25l`
const showCursor = `${ESC}?25h`
const clearLine = `${ESC}K`
const clearBelow = `${ESC}J`
const up = (count) => `${ESC}${count}A`

function live({ tally, duration, seconds, output }) {
  const lanes = new Map() // connections of an entry, each at the place where it is drawn
  let drawn = 0

  function draw() {
    const picture = [
      `${paint('bold', 'The same traffic, three clients')}  ${paint('dim', `${seconds()} of ${duration / 1000} s`)}`,
      '',
    ]
    for (const server of servers) {
      picture.push(`${paint('bold', server.padEnd(15))}${paint('dim', habits[server].says)}`)
      for (const client of tally.clients) picture.push(...rows(client, tally.of(server, client)))
      picture.push('')
    }
    picture.push(legend)
    output.write((drawn ? up(drawn) : '') + picture.map((line) => `${line}${clearLine}\n`).join(''))
    drawn = picture.length
  }

  function rows(client, entry) {
    const failed = `${entry.failed} failed`.padStart(11)
    const numbers = `${entry.sent} sent`.padStart(9) + `${entry.opened} opened`.padStart(12)
    const closed = entry.reasons.size ? `closed: ${inWords(entry.reasons).join(', ')}` : ''
    const room = output.columns - 15
    return [
      `  ${client.padEnd(13)}${lane(entry, room - 33)} ${numbers}${paint(entry.failed ? 'red' : 'dim', failed)}`,
      `${' '.repeat(15)}${paint('dim', closed.slice(0, room))}`,
    ]
  }

  // A connection keeps its place while it lives; when it has been seen closed for a moment, the place is free again.
  function lane(entry, width) {
    const places = lanes.get(entry) ?? []
    lanes.set(entry, places)
    const gone = (connection) => connection?.closedAt < Date.now() - 600
    for (const [place, connection] of places.entries()) if (gone(connection)) places[place] = undefined
    for (const connection of entry.connections.values()) {
      if (gone(connection) || places.includes(connection)) continue
      const free = places.indexOf(undefined)
      places[free < 0 ? places.length : free] = connection
    }
    const shown = Math.floor(width / 2)
    return (
      places.slice(0, shown).map(sign).join('') +
      '  '.repeat(Math.max(0, shown - places.length)) +
      ' '.repeat(width % 2)
    )
  }

  output.write(hideCursor)
  const onExit = () => output.write(showCursor)
  const onInterrupt = () => process.exit(130)
  process.once('exit', onExit).once('SIGINT', onInterrupt)
  const timer = setInterval(draw, 60)
  draw()
  return {
    show() {},
    end() {
      clearInterval(timer)
      process.off('exit', onExit).off('SIGINT', onInterrupt)
      output.write(up(drawn) + clearBelow + showCursor)
    },
  }
}

function sign(connection) {
  if (!connection) return '  '
  if (connection.closedAt) return paint(byServer.has(connection.reason) ? 'yellow' : 'blue', '× ')
  return Date.now() - connection.usedAt < 150 ? paint('green', '● ') : paint('dim', '○ ')
}

const byServer = new Set(['server-fin', 'reset'])

const legend = [
  `${paint('green', '●')} in use`,
  `${paint('dim', '○')} idle`,
  `${paint('blue', '×')} closed by the client`,
  `${paint('yellow', '×')} closed by the server`,
].join('   ')

function lines({ tally, seconds, output }) {
  const width = 14
  const cells = (values) => values.map((value) => value.padStart(width)).join('')
  output.write(`opened / failed           ${cells(tally.clients)}\n`)

  const timer = setInterval(() => {
    const time = seconds()
    for (const server of servers) {
      const entries = tally.clients.map((client) => tally.of(server, client))
      output.write(
        `${time} s   ${server.padEnd(18)}${cells(entries.map((entry) => `${entry.opened} / ${entry.failed}`))}\n`,
      )
    }
  }, 2000)
  return {
    show({ type, server, client, method, code, message }) {
      if (type !== 'failed') return
      output.write(`${seconds()} s   ${server.padEnd(11)}${client} lost a ${method}: ${code} (${message})\n`)
    },
    end: () => clearInterval(timer),
  }
}
