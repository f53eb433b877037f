// The two figures of docs/concepts.md: what HTTP keep-alive is, and what TCP keepalive is.

import { colours, dot, line, round, svg, text, WIDTH } from './pen.mjs'

const band = (x1, x2, y, height, colour, opacity = 0.35) =>
  `<rect x="${round(x1)}" y="${y - height / 2}" width="${round(x2 - x1)}" height="${height}" rx="3" fill="${colours[colour]}" fill-opacity="${opacity}"/>`

const arrow = (x1, y1, x2, y2, colour) => line(x1, y1, x2, y2, colour, `stroke-width="2" marker-end="url(#${colour})"`)

const stroke = (x1, x2, y, colour, width = 4) => line(x1, y, x2, y, colour, `stroke-width="${width}"`)

const upright = (x, y1, y2, colour = 'line') => line(x, y1, x, y2, colour, 'stroke-dasharray="2 4"')

/** Where the lanes are in a panel of the first figure, and how far a message leans. */
const [CLIENT, SERVER, TIMER] = [74, 138, 170]
const [LEFT, RIGHT] = [96, 862]
const LEAN = 22

/** What both panels of the first figure begin with: two requests, and the server's timer that each response winds up anew. */
const twoRequests = (end) => {
  const [opened, first, second] = [112, 186, 332]
  const answered = [first + 66, second + 66]
  const exchange = (x, name) =>
    stroke(x, x + 66, CLIENT, 'good') +
    arrow(x, CLIENT, x + LEAN, SERVER, 'ink') +
    arrow(x + 66 - LEAN, SERVER, x + 66, CLIENT, 'ink') +
    text(x + 33, CLIENT - 14, name, { anchor: 'middle' })
  return [
    stroke(LEFT, RIGHT, CLIENT, 'line', 2),
    stroke(LEFT, RIGHT, SERVER, 'line', 2),
    text(16, CLIENT + 4, 'client', { weight: 600 }),
    text(16, SERVER + 4, 'server', { weight: 600 }),
    text(16, TIMER + 4, 'its timer', { colour: 'faint', size: 12 }),
    arrow(opened, CLIENT, opened + LEAN, SERVER, 'faint'),
    arrow(opened + LEAN, SERVER, opened + 2 * LEAN, CLIENT, 'faint'),
    text(opened + LEAN, CLIENT - 14, 'handshake', { colour: 'faint', anchor: 'middle' }),
    exchange(first, 'request'),
    text((answered[0] + second) / 2, CLIENT - 14, 'idle', { colour: 'faint', anchor: 'middle' }),
    band(answered[0] - LEAN, second + LEAN, TIMER, 12, 'line', 0.9),
    upright(second + LEAN, SERVER, TIMER + 8, 'faint'),
    text(second + LEAN + 4, TIMER + 22, 'starts anew', { colour: 'faint', size: 12, anchor: 'middle' }),
    exchange(second, 'next request'),
    band(answered[1] - LEAN, end, TIMER, 12, 'line', 0.9),
    text((answered[1] - LEAN + end) / 2, TIMER + 4, 'idle timeout: 5 s', {
      colour: 'faint',
      size: 11,
      anchor: 'middle',
    }),
  ]
}

const panel = (y, title, ...parts) =>
  `<g transform="translate(0 ${y})">
${text(16, 24, title, { size: 15, weight: 700 })}
${parts.join('\n')}
</g>`

/** The life of a connection with HTTP keep-alive: whose timer ends it, and why the client has to end it sooner. */
export function httpKeepAlive() {
  const end = 692
  const margin = 84
  const kept = panel(
    8,
    'A kept connection: the client closes it a margin before the server would',
    ...twoRequests(end),
    text(510, CLIENT - 14, 'idle: may be used again', { colour: 'faint', anchor: 'middle' }),
    band(end - margin, end, CLIENT, 12, 'busy'),
    text(end - margin / 2, CLIENT - 14, 'margin', { colour: 'busy', anchor: 'middle' }),
    dot(end - margin, CLIENT, 'good'),
    arrow(end - margin, CLIENT, end - margin + LEAN, SERVER, 'good'),
    text(end - margin - 10, CLIENT + 24, 'the pool closes it first', { colour: 'good', weight: 600, anchor: 'end' }),
    upright(end, CLIENT - 8, TIMER + 8, 'faint'),
    text(end, TIMER + 22, 'would close here', { colour: 'faint', size: 12, anchor: 'middle' }),
  )
  const leaves = end - 10
  const raced = panel(
    212,
    'Without a margin, or without knowing the timer: a request crosses the close',
    ...twoRequests(end),
    text(500, CLIENT - 14, 'idle: looks good', { colour: 'faint', anchor: 'middle' }),
    text(leaves - 6, CLIENT - 14, 'a request leaves', { anchor: 'end' }),
    dot(leaves, CLIENT, 'ink'),
    arrow(leaves, CLIENT, leaves + LEAN, SERVER, 'ink'),
    dot(end, SERVER, 'bad'),
    arrow(end, SERVER, end + LEAN, CLIENT, 'bad'),
    arrow(leaves + LEAN + 2, SERVER, leaves + 2 * LEAN + 2, CLIENT, 'bad'),
    dot(leaves + 2 * LEAN + 4, CLIENT, 'bad'),
    text(end - 8, SERVER + 18, 'it is over: closes (FIN)', { colour: 'bad', size: 12, anchor: 'end' }),
    text(leaves + LEAN + 10, SERVER + 18, 'answers with RST', { colour: 'bad', size: 12 }),
    text(leaves + 2 * LEAN + 14, CLIENT - 14, 'the request fails', { colour: 'bad', weight: 600 }),
    text(leaves + 2 * LEAN + 14, CLIENT + 22, 'ECONNRESET,', { colour: 'bad', size: 12 }),
    text(leaves + 2 * LEAN + 14, CLIENT + 38, 'socket hang up', { colour: 'bad', size: 12 }),
  )
  return svg(
    WIDTH,
    418,
    'A connection with HTTP keep-alive serves request after request; the server closes it when it has idled for too long, and the pool a margin before',
    ...[kept, raced],
  )
}

/** What is drawn of TCP keepalive, in seconds: the triple of `'cloud'`, and the memory of a NAT. */
export const probing = { idle: 30, interval: 5, probes: 3, forgets: 120 }

/** TCP keepalive: a peer that lives, one that is gone, a NAT in between, and the case in which nothing is probed. */
export function tcpKeepalive() {
  const { idle, interval, probes, forgets } = probing
  const dead = idle + interval * probes
  const [left, right, last] = [196, 856, 136]
  const x = (seconds) => left + (seconds / last) * (right - left)
  const name = (y, title, ...about) =>
    text(16, y - 4, title, { weight: 600 }) +
    about.map((words, n) => text(16, y + 12 + 14 * n, words, { colour: 'faint', size: 11 })).join('')
  const probe = (y, seconds) => line(x(seconds), y - 9, x(seconds), y + 9, 'ink', 'stroke-width="2"')
  const heard = (y, seconds) => dot(x(seconds), y, 'good')
  const brace = (y, from, to, words) =>
    line(x(from) + 2, y, x(to) - 2, y, 'faint', 'marker-start="url(#faint)" marker-end="url(#faint)"') +
    text((x(from) + x(to)) / 2, y - 6, words, { colour: 'faint', size: 12, anchor: 'middle' })
  const memory = (y, from, to) => band(x(from), x(to) - 1, y, 10, 'line', 0.9)

  const asked = Array.from({ length: 4 }, (_, n) => (n + 1) * idle)
  const unanswered = Array.from({ length: probes }, (_, n) => idle + n * interval)
  // Sent again after 0.2 s, and then after twice the pause before.
  const repeated = [0.2]
  for (let pause = 0.4; repeated.at(-1) + pause < last; pause *= 2) repeated.push(repeated.at(-1) + pause)

  const axis = [0, 30, 60, 90, 120].map(
    (seconds) =>
      text(x(seconds), 30, seconds === 0 ? '0' : `${seconds} s`, { colour: 'faint', size: 11, anchor: 'middle' }) +
      upright(x(seconds), 38, 402),
  )
  const alive = [
    name(78, 'the peer lives', 'a probe after every Ti', 'of silence, answered'),
    stroke(x(0), x(last), 78, 'line'),
    brace(64, 0, idle, 'Ti = 30 s'),
    heard(78, 0),
    ...asked.map((seconds) => probe(78, seconds) + dot(x(seconds) + 7, 78, 'good')),
    text(16, 124, 'what the NAT remembers', { colour: 'faint', size: 11 }),
    ...[0, ...asked].map((from, n, all) => memory(120, from, all[n + 1] ?? last)),
    text(x(75), 140, 'each packet starts its 120 s anew: the connection is never forgotten', {
      colour: 'faint',
      size: 11,
      anchor: 'middle',
    }),
  ]
  const gone = [
    name(196, 'the peer is gone', 'nobody answers'),
    stroke(x(0), x(idle), 196, 'line'),
    stroke(x(idle), x(dead), 196, 'busy'),
    heard(196, 0),
    ...unanswered.map((seconds) => probe(196, seconds)),
    dot(x(dead), 196, 'bad'),
    text(x(idle + interval), 180, 'Td = 5 s apart, Nm = 3', { colour: 'faint', size: 12, anchor: 'middle' }),
    text(x(dead) + 12, 201, 'dead after Ti + Td × Nm = 45 s', { colour: 'bad', weight: 600 }),
  ]
  const forgotten = [
    name(268, 'without probes', 'a NAT in between'),
    stroke(x(0), x(forgets), 268, 'line'),
    stroke(x(forgets), x(last), 268, 'bad'),
    heard(268, 0),
    dot(x(forgets), 268, 'bad'),
    text(16, 304, 'what the NAT remembers', { colour: 'faint', size: 11 }),
    memory(300, 0, forgets),
    text(x(forgets) - 8, 258, 'forgotten: the next request goes nowhere', {
      colour: 'bad',
      weight: 600,
      anchor: 'end',
    }),
  ]
  const sending = [
    name(366, 'unacknowledged data', 'nothing is probed: the', 'kernel sends it again'),
    stroke(x(0), x(last), 366, 'line'),
    heard(366, 0),
    ...repeated.map((seconds) => line(x(seconds), 358, x(seconds), 374, 'busy', 'stroke-width="2"')),
    text(x(last), 392, 'pauses double; it gives up after some 15 minutes', { colour: 'busy', size: 12, anchor: 'end' }),
    line(x(dead), 340, x(dead), 374, 'good', 'stroke-width="2"'),
    text(x(dead) + 8, 350, 'keepwise looks by itself: dead after 45 s here, too', { colour: 'good', weight: 600 }),
  ]
  const legend = [
    line(34, 422, 34, 438, 'ink', 'stroke-width="2"'),
    text(44, 434, 'probe', { size: 12, colour: 'faint' }),
    line(96, 422, 96, 438, 'busy', 'stroke-width="2"'),
    text(106, 434, 'sent again', { size: 12, colour: 'faint' }),
    dot(184, 430, 'good'),
    text(194, 434, 'the peer is heard', { size: 12, colour: 'faint' }),
  ]
  return svg(
    WIDTH,
    456,
    'TCP keepalive probes a silent connection after Ti, every Td, Nm times; it keeps a NAT awake, and it rests while data waits for an acknowledgement',
    ...[axis, alive, gone, forgotten, sending, legend].flat(),
  )
}
