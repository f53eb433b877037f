/** The numbers in the README are what one run of the demo printed: whole, and adding up. */
import { describe, expect, it } from 'vitest'
import { habits } from '../../examples/demo/servers.js'
import { Page } from './markdown.js'

const [, block = ''] =
  /<!-- demo: begin -->\n+```text\n(.*?)```\n+<!-- demo: end -->/s.exec(new Page('README.md').text) ?? []

interface Line {
  readonly client: string
  readonly requests: number
  readonly opened: number
  /** All of them: a cell with several errors takes several lines. */
  failed: number
}

const lines = block.split('\n')
/** Where the columns stand that may have more lines than one. */
const [from, to] = ['failed', 'closed by reason'].map((title) => lines[0]?.indexOf(title))

const rows: Line[] = []
for (const line of lines.slice(1)) {
  const start = /^ {2}(\S+) +(\d+) +(\d+) +\d+ % /.exec(line)
  if (start !== null)
    rows.push({ client: start[1] as string, requests: Number(start[2]), opened: Number(start[3]), failed: 0 })
  const row = rows.at(-1)
  const isOfTable = start !== null || /^ {20}/.test(line)
  if (row !== undefined && isOfTable) row.failed += Number(/^\d+/.exec(line.slice(from, to))?.[0] ?? 0)
}

/** `  keepwise      lost 2 of 578 requests,   0 arrived twice,  285 opened` */
const sums = [...block.matchAll(/^ {2}(\S+) +lost (\d+) of (\d+) requests, +(\d+) arrived twice, +(\d+) /gm)].map(
  ([, client, failed, requests, , opened]) => [client, Number(failed), Number(requests), Number(opened)],
)

describe('the demo in the README', () => {
  it('is against the servers that the demo has', () => {
    for (const [name, { says }] of Object.entries(habits)) expect(block).toMatch(new RegExp(`^${name} +${says}$`, 'm'))
  })

  it('has the same clients at each server, and the same requests for each', () => {
    const clients = ['http.Agent', 'undici.Agent', 'keepwise']
    expect(rows.map(({ client }) => client)).toEqual([...clients, ...clients])
    for (const half of [rows.slice(0, 3), rows.slice(3)])
      expect(new Set(half.map(({ requests }) => requests)).size).toBe(1)
  })

  it('adds up', () => {
    for (const [client, failed, requests, opened] of sums) {
      const own = rows.filter((row) => row.client === client)
      expect(own).toHaveLength(2)
      const sum = (key: 'failed' | 'requests' | 'opened') => own.reduce((total, row) => total + row[key], 0)
      expect([sum('failed'), sum('requests'), sum('opened')]).toEqual([failed, requests, opened])
    }
    expect(sums).toHaveLength(3)
  })
})
