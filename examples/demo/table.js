// The table at the end. Every number in it was counted in this run.

import { paint } from './paint.js'
import { habits } from './servers.js'
import { inWords, servers } from './tally.js'

const columns = [
  { title: '', width: 14 },
  { title: 'requests', width: 8, right: true },
  { title: 'opened', width: 8, right: true },
  { title: 'reuse', width: 7, right: true },
  { title: 'failed', width: 20, style: 'red' },
  { title: 'closed by reason', style: 'dim' },
]

export function table(tally) {
  const lines = [paint('dim', row(columns.map(({ title }) => [title]))[0])]
  for (const server of servers) {
    lines.push(`${paint('bold', server.padEnd(16))}${habits[server].says}`)
    for (const client of tally.clients) lines.push(...row(cells(client, tally.of(server, client)), true))
    lines.push('')
  }
  lines.push(paint('dim', legend), '')
  return lines.join('\n')
}

const legend = 'Closed by the server: server-fin, reset. By the client: the others.'

function cells(client, { sent, opened, answered, reused, codes, reasons, connections }) {
  const stillOpen = [...connections.values()].filter(({ closedAt }) => closedAt === undefined).length
  const reuse = answered ? `${Math.round((100 * reused) / answered)} %` : '-'
  const failures = codes.size ? [...codes].map(([code, times]) => `${times} ${code}`) : ['0']
  const closed = inWords(reasons)
  if (stillOpen) closed.push(`open at the end ${stillOpen}`)
  return [[`  ${client}`], [`${sent}`], [`${opened}`], [reuse], failures, closed]
}

// A cell is a list: it takes as many lines as it has items.
function row(cells, coloured = false) {
  const height = Math.max(...cells.map((cell) => cell.length))
  return Array.from({ length: height }, (_, line) =>
    cells
      .map((cell, index) => {
        const { width = 0, right, style } = columns[index]
        const text = cell[line] ?? ''
        const padded = right ? text.padStart(width) : `${index ? '  ' : ''}${text.padEnd(width - (index ? 2 : 0))}`
        return coloured && style && text !== '0' ? paint(style, padded) : padded
      })
      .join('')
      .trimEnd(),
  )
}
