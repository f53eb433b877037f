// Draws the figures of the documentation: `node docs/figures/draw.mjs` writes the SVG files beside this script.
// A test holds the files to what is drawn here.

import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { httpKeepAlive, tcpKeepalive } from './keep-alives.mjs'
import { colours, dot, line, round, svg, text, WIDTH } from './pen.mjs'

const PANEL = 188
/** Height of the two lanes within a panel: the client above, the server below. */
const CLIENT = 84
const SERVER = 156
/** The lanes: idle time on the left of the break is long, the milliseconds on its right are drawn to scale. */
const LEFT = 96
const BREAK = 232
const RIGHT = 862
const [FIRST, LAST] = [4.925, 5.09]

/** Where a moment (in seconds) stands on the lanes. */
const at = (seconds) =>
  seconds < FIRST ? LEFT : BREAK + 24 + ((seconds - FIRST) / (LAST - FIRST)) * (RIGHT - BREAK - 24)

/** A lane: its name, and the wire it stands for. */
const lane = (y, name) =>
  text(16, y + 4, name, { weight: 600 }) +
  line(LEFT, y, BREAK, y, 'line', 'stroke-width="2"') +
  text(BREAK + 12, y + 5, '≈', { colour: 'faint', anchor: 'middle', size: 16 }) +
  line(BREAK + 24, y, RIGHT, y, 'line', 'stroke-width="2"')

/** A message that leaves one end at a moment and reaches the other 20 ms later. */
function message(from, leaves, colour) {
  const [y1, y2] = from === 'client' ? [CLIENT, SERVER] : [SERVER, CLIENT]
  return line(at(leaves), y1, at(leaves + 0.02), y2, colour, `stroke-width="2" marker-end="url(#${colour})"`)
}

/** What a server that advertises, or does not, has said long before. */
const response = (words) =>
  line(LEFT + 8, SERVER, LEFT + 42, CLIENT, 'faint', 'stroke-width="2" marker-end="url(#faint)"') +
  text(LEFT + 40, (CLIENT + SERVER) / 2 + 18, words, { colour: 'faint', size: 12 })

const tick = (seconds, label) =>
  text(at(seconds), CLIENT - 40, label ?? `${seconds.toFixed(2)} s`, { colour: 'faint', size: 11, anchor: 'middle' }) +
  line(at(seconds), CLIENT - 34, at(seconds), SERVER + 8, 'line', 'stroke-dasharray="2 4"')

const panel = (index, title, ...parts) =>
  `<g transform="translate(0 ${index * PANEL + 12})">
${text(16, 20, title, { size: 15, weight: 700 })}
${parts.join('\n')}
${lane(CLIENT, 'client')}
${lane(SERVER, 'server')}
</g>`

/** The race between a request and the server's idle timer, and what keepwise does about it. Round trip: 40 ms. */
export function keepAliveRace() {
  const race = panel(
    0,
    'The race: the request leaves before it can know that the server has closed',
    ...[tick(4.99, '4.99'), tick(5), tick(5.03)],
    response('timeout=5'),
    message('client', 4.99, 'ink'),
    message('server', 5, 'bad'),
    message('server', 5.01, 'bad'),
    dot(at(4.99), CLIENT, 'ink'),
    dot(at(5), SERVER, 'bad'),
    dot(at(5.03), CLIENT, 'bad'),
    text(at(4.99) - 8, CLIENT - 10, 'request leaves', { anchor: 'end' }),
    text(at(5) - 8, SERVER + 20, 'idle for 5 s: closes (FIN)', { colour: 'bad', anchor: 'end' }),
    text(at(5.01) + 14, SERVER + 20, 'answers the request with RST', { colour: 'bad' }),
    text(at(5.03) + 8, CLIENT - 10, 'the request fails', { colour: 'bad', weight: 600 }),
    text(at(5.03) + 8, CLIENT + 18, 'ECONNRESET, socket hang up', { colour: 'bad', size: 12 }),
    text(at(5.03) + 8, CLIENT + 34, 'other side closed', { colour: 'bad', size: 12 }),
  )
  const advertised = panel(
    1,
    'keepwise, where the server has said so: closes first, 5 s less a margin',
    ...[tick(4.95), tick(4.99), tick(5.03)],
    response('timeout=5'),
    message('client', 4.95, 'ink'),
    message('client', 4.99, 'good'),
    message('server', 5.01, 'good'),
    dot(at(4.95), CLIENT, 'ink'),
    dot(at(4.99), CLIENT, 'good'),
    dot(at(5.03), CLIENT, 'good'),
    text(at(4.95) - 8, CLIENT - 10, 'closes', { anchor: 'end' }),
    text(at(4.99) + 8, CLIENT - 10, 'request, on another connection', { colour: 'good', weight: 600 }),
    text(at(5.03) + 8, CLIENT + 18, 'response', { colour: 'good', weight: 600 }),
  )
  const asked = panel(
    2,
    'keepwise, where the server said nothing: the kernel is asked before reuse',
    ...[tick(5), tick(5.02), tick(5.04)],
    response('(nothing)'),
    `<rect x="${round(at(5.005))}" y="${CLIENT - 6}" width="${round(at(5.04) - at(5.005))}" height="12" rx="3" fill="${colours.busy}" fill-opacity="0.35"/>`,
    message('server', 5, 'bad'),
    message('client', 5.04, 'good'),
    dot(at(5), SERVER, 'bad'),
    dot(at(5.02), CLIENT, 'bad'),
    dot(at(5.04), CLIENT, 'good'),
    text(at(5.005) - 6, CLIENT - 10, 'event loop busy: FIN not read', { colour: 'busy', anchor: 'end' }),
    text(at(5) - 8, SERVER + 20, 'idle for 5 s: closes (FIN)', { colour: 'bad', anchor: 'end' }),
    text(at(5.04) - 30, CLIENT + 34, 'TCP_INFO says', { anchor: 'middle', size: 12 }),
    text(at(5.04) - 30, CLIENT + 49, 'CLOSE_WAIT:', { anchor: 'middle', size: 12 }),
    text(at(5.04) - 30, CLIENT + 64, 'not reused', { anchor: 'middle', size: 12 }),
    text(at(5.04) + 8, CLIENT - 24, 'request, on', { colour: 'good', weight: 600 }),
    text(at(5.04) + 8, CLIENT - 9, 'another connection', { colour: 'good', weight: 600 }),
  )
  return svg(
    WIDTH,
    3 * PANEL + 20,
    "A request and a server's idle timeout cross on the wire; keepwise closes first, or asks the kernel",
    ...[race, advertised, asked],
  )
}

/** What the wire shows of a request that crossed the server's FIN, and of two others that look much like it. Round trip: 40 ms. */
export function wireVerdicts() {
  const refused = panel(
    0,
    'Refused: FIN that acknowledges nothing, then RST. Nobody read the request.',
    ...[tick(4.99, '-10 ms'), tick(5, '0'), tick(5.02, '+20'), tick(5.03, '+30')],
    message('client', 4.99, 'ink'),
    message('server', 5, 'bad'),
    message('server', 5.01, 'bad'),
    dot(at(4.99), CLIENT, 'ink'),
    dot(at(5), SERVER, 'bad'),
    dot(at(5.02), CLIENT, 'bad'),
    dot(at(5.03), CLIENT, 'good'),
    text(at(4.99) - 8, CLIENT - 10, 'POST leaves', { anchor: 'end' }),
    text(at(5) - 8, SERVER + 20, 'close(): FIN', { colour: 'bad', anchor: 'end' }),
    text(at(5.01) + 14, SERVER + 20, 'nobody has the socket: RST', { colour: 'bad' }),
    text(at(5.03) + 8, CLIENT - 10, 'replayed', { colour: 'good', weight: 600 }),
    text(at(5.03) + 8, CLIENT + 18, '0 bytes acknowledged, CLOSE', { size: 12 }),
  )
  const halfClosed = panel(
    1,
    'Unknown: the same FIN, but the server reads on, and its kernel acknowledges',
    ...[tick(5, '0'), tick(5.02, '+20'), tick(5.07, '+70')],
    message('client', 4.99, 'ink'),
    message('server', 5, 'bad'),
    message('server', 5.05, 'busy'),
    dot(at(4.99), CLIENT, 'ink'),
    dot(at(5), SERVER, 'bad'),
    dot(at(5.02), CLIENT, 'bad'),
    dot(at(5.07), CLIENT, 'busy'),
    text(at(4.99) - 8, CLIENT - 10, 'POST leaves', { anchor: 'end' }),
    text(at(5) - 8, SERVER + 20, 'shutdown(): FIN', { colour: 'bad', anchor: 'end' }),
    text(at(5.02) + 8, CLIENT - 10, 'FIN alone: waits'),
    text(at(5.01) + 14, SERVER + 20, 'may be read', { colour: 'busy' }),
    text(at(5.05) + 8, SERVER + 20, 'the ACK leaves late', { colour: 'busy' }),
    text(at(5.07) + 8, CLIENT - 10, 'an error', { colour: 'bad', weight: 600 }),
    text(at(5.07) - 24, CLIENT + 18, 'all bytes acknowledged', { size: 12, anchor: 'end' }),
  )
  const resetAlone = panel(
    2,
    'Unknown: RST alone. The server may have processed the request before it crashed',
    ...[tick(5, '0'), tick(5.02, '+20')],
    message('client', 4.97, 'ink'),
    message('server', 5, 'bad'),
    dot(at(4.97), CLIENT, 'ink'),
    dot(at(5), SERVER, 'bad'),
    dot(at(5.02), CLIENT, 'bad'),
    text(at(4.97) - 8, CLIENT - 10, 'POST leaves', { anchor: 'end' }),
    `<rect x="${round(at(4.99))}" y="${SERVER - 6}" width="${round(at(5) - at(4.99))}" height="12" rx="3" fill="${colours.busy}" fill-opacity="0.35"/>`,
    text(at(4.99) - 8, SERVER + 20, 'reads and processes it', { colour: 'busy', anchor: 'end' }),
    text(at(5) + 14, SERVER + 20, 'crashes: RST', { colour: 'bad' }),
    text(at(5.02) + 8, CLIENT - 10, 'an error, not a replay', { colour: 'bad', weight: 600 }),
    text(at(5.02) + 8, CLIENT + 18, '0 bytes acknowledged, CLOSE, but no FIN', { size: 12 }),
  )
  return svg(
    WIDTH,
    3 * PANEL + 20,
    'FIN and then RST with nothing acknowledged: refused. FIN and an acknowledgement, or RST alone: unknown',
    ...[refused, halfClosed, resetAlone],
  )
}

/** The states of a connection. Arrows in both directions are two moves. */
export function connectionStates() {
  const box = (x, y, name) =>
    `<rect x="${x - 52}" y="${y - 18}" width="104" height="36" rx="8" fill="#f8fafc" stroke="${colours.faint}"/>` +
    text(x, y + 5, name, { anchor: 'middle', weight: 600, size: 14 })
  const move = (x1, y1, x2, y2, both = false) =>
    line(
      x1,
      y1,
      x2,
      y2,
      'faint',
      `stroke-width="2" marker-end="url(#faint)"${both ? ' marker-start="url(#faint)"' : ''}`,
    )
  const note = (x, y, words, anchor = 'middle') => text(x, y, words, { colour: 'faint', size: 12, anchor })
  return svg(
    880,
    310,
    'The states of a connection: active, idle, settling, suspect, watched, closed',
    move(28, 125, 108, 125),
    note(66, 114, 'dialed'),
    move(218, 125, 400, 125, true),
    note(263, 114, 'kept, lent'),
    move(196, 104, 266, 60, true),
    move(422, 104, 352, 60, true),
    note(432, 76, 'no kernel to ask: looked at', 'start'),
    note(432, 92, 'after two turns of the loop', 'start'),
    move(508, 125, 725, 125, true),
    note(616, 116, 'its peer is asked; answers'),
    note(832, 76, '(so from active and settling;', 'end'),
    note(832, 92, 'lent at once if somebody waits)', 'end'),
    move(186, 146, 276, 228),
    move(434, 146, 340, 228),
    move(309, 64, 309, 228),
    note(150, 250, 'one reason each'),
    move(470, 146, 522, 228),
    move(490, 250, 366, 250),
    note(512, 168, 'the learned time is over: kept', 'start'),
    note(522, 184, 'to see when the server closes it', 'start'),
    note(532, 200, '(so from active, settling, suspect)', 'start'),
    line(780, 146, 780, 288, 'faint', 'stroke-width="2"'),
    line(781, 288, 308, 288, 'faint', 'stroke-width="2"'),
    move(309, 288, 309, 272),
    note(772, 222, 'dead, evicted', 'end'),
    box(165, 125, 'active'),
    box(455, 125, 'idle'),
    box(309, 44, 'settling'),
    box(780, 125, 'suspect'),
    box(545, 250, 'watched'),
    box(309, 250, 'closed'),
  )
}

/** What is drawn of a dead peer: Ti, Td, Nm, and the longest pause between two retransmissions, in seconds. */
export const timeline = { idle: 30, interval: 5, probes: 3, cap: 5 }

/** One clock for connections that idle, wait and send; and a peer that lives. */
export function deadPeer() {
  const { idle, interval, probes, cap } = timeline
  const dead = idle + interval * probes
  const [left, right] = [232, 806]
  const x = (seconds) => left + (seconds / (dead + 1.5)) * (right - left)
  const asked = Array.from({ length: probes }, (_, n) => idle + n * interval)
  // What is not acknowledged is asked for again after 0.2 s, and then after twice the pause before, up to the cap.
  const repeated = []
  for (let at = 0, pause = 0.2; at + pause < dead; pause = Math.min(2 * pause, cap)) repeated.push((at += pause))

  const question = (y, seconds) => line(x(seconds), y - 9, x(seconds), y + 9, 'ink', 'stroke-width="2"')
  const mark = (y, seconds, colour) => dot(round(x(seconds)), y, colour)
  const stretch = (y, from, to, colour) => line(x(from), y, x(to), y, colour, 'stroke-width="4"')
  const name = (y, title, about) =>
    text(16, y - 2, title, { weight: 600 }) + text(16, y + 14, about, { colour: 'faint', size: 11 })
  const doomed = (y, title, about, questions) =>
    [
      name(y, title, about),
      stretch(y, 0, idle, 'line'),
      stretch(y, idle, dead, 'busy'),
      ...questions.map((at) => question(y, at)),
      mark(y, 0, 'good'),
      mark(y, dead, 'bad'),
    ].join('\n')
  const living = (y, title, about, questions) =>
    [
      name(y, title, about),
      stretch(y, 0, dead + 1, 'line'),
      ...questions.flatMap((at) => [question(y, at), mark(y, at + 0.35, 'good')]),
      mark(y, 0, 'good'),
    ].join('\n')
  const at = (seconds, label, above, colour = 'faint') =>
    line(x(seconds), 62, x(seconds), 306, 'line', 'stroke-dasharray="2 4"') +
    text(x(seconds), 54, label, { colour: 'faint', size: 11, anchor: 'middle' }) +
    text(x(seconds), 38, above, { colour, size: 12, anchor: 'middle', weight: 600 })

  return svg(
    WIDTH,
    352,
    'A peer that is gone is suspected after Ti and dead after Ti + Td × Nm, whether its connection idles, waits or sends',
    at(0, '0', 'last heard', 'good'),
    at(idle, `${idle} s`, 'Ti: suspect', 'busy'),
    ...asked.slice(1).map((seconds) => at(seconds, `${seconds} s`, '')),
    at(dead, `${dead} s`, 'Ti + Td × Nm: dead', 'bad'),
    doomed(92, 'idle', 'keepalive probes', asked),
    doomed(148, 'waiting for a response', 'keepalive probes', asked),
    doomed(204, 'sending', 'sent again and again', repeated),
    living(270, 'a peer that does not read', 'window probes, answered', repeated),
    line(34, 328, 34, 340, 'ink', 'stroke-width="2"'),
    text(44, 339, 'the kernel asks', { size: 12, colour: 'faint' }),
    dot(172, 335, 'good'),
    text(182, 339, 'the peer is heard', { size: 12, colour: 'faint' }),
    line(318, 335, 344, 335, 'busy', 'stroke-width="4"'),
    text(352, 339, 'suspect: not lent; returns if the peer answers', { size: 12, colour: 'faint' }),
    dot(660, 335, 'bad'),
    text(670, 339, 'closed, its request told', { size: 12, colour: 'faint' }),
  )
}

/** Every figure, by file name. */
export const figures = {
  'connection-states.svg': connectionStates,
  'dead-peer.svg': deadPeer,
  'http-keep-alive.svg': httpKeepAlive,
  'keep-alive-race.svg': keepAliveRace,
  'tcp-keepalive.svg': tcpKeepalive,
  'wire-verdicts.svg': wireVerdicts,
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  for (const [name, draw] of Object.entries(figures)) writeFileSync(new URL(name, import.meta.url), draw())
