import { describe, expect, it } from 'vitest'
import type { Verdict } from '../../bench/dead/judge.js'
import { sectionsOf } from '../../bench/dead/report.js'
import { Page } from '../docs/markdown.js'

const verdict = (told: Partial<Verdict>): Verdict => ({
  ...{ contestant: 'keepwise', scene: 'idle', lanes: 3, answered: 0, ended: 3, codes: ['ETIMEDOUT'] },
  ...{ after: { first: 5_010, last: 5_049 }, next: { failed: 0, took: { first: 40, last: 90.4 } } },
  ...told,
})

const tablesOf = (...verdicts: Verdict[]) =>
  Object.fromEntries(sectionsOf(verdicts, { patience: 30 }).map(({ title, table }) => [title, rowsOf(table)]))

/** The cells of a table, the headings first. */
function rowsOf(table: string): string[][] {
  const rows = table.split('\n').map((line) => line.slice(2, -2).split(' | '))
  return rows.filter((_, index) => index !== 1).map((row) => row.map((cell) => cell.trim()))
}

const SECONDS = 'Seconds until the client knows'
const TOLD = 'What the caller is told'
const MENDED = 'After mending'
const LIVING = 'Peers that live'

describe('the tables of a run', () => {
  it('give the seconds to a tenth, and from first to last where they differ', () => {
    const { [SECONDS]: rows } = tablesOf(
      verdict({}),
      verdict({ scene: 'waiting', after: { first: 4_900, last: 5_100 } }),
    )
    expect(rows).toEqual([
      ['client', 'idle', 'waiting for the response'],
      ['keepwise', '5.0', '4.9 to 5.1'],
    ])
  })

  it('say of whom nothing was known that it took longer than anybody waited', () => {
    const unknown = { ended: 0, after: undefined, codes: [] }
    const some = { ended: 1, after: undefined }
    const { [SECONDS]: rows } = tablesOf(verdict(unknown), verdict({ scene: 'waiting', ...some }))
    expect(rows![1]).toEqual(['keepwise', '> 30', '1 of 3'])
  })

  it('put in brackets what a timer has closed', () => {
    const { [SECONDS]: rows, [TOLD]: told } = tablesOf(verdict({ codes: [''] }))
    expect(rows![1]).toEqual(['keepwise', '(5.0)'])
    expect(told![1]).toEqual(['keepwise', 'no error'])
  })

  it('name errors with their causes', () => {
    const codes = ['ETIMEDOUT < ERR_KEEPWISE_PEER_DEAD', 'ECONNRESET']
    const { [TOLD]: told } = tablesOf(verdict({ codes }))
    expect(told![1]![1]).toBe('`ETIMEDOUT`, cause `ERR_KEEPWISE_PEER_DEAD`; `ECONNRESET`')
  })

  it('say when a request was answered after all, and the slowest of the next ones', () => {
    const healed = verdict({
      scene: 'mended',
      answered: 3,
      ended: 0,
      after: { first: 10_200, last: 10_249 },
      codes: [],
    })
    const slow = { failed: 0, took: { first: 50, last: 170.2 } }
    const { [MENDED]: rows } = tablesOf(healed, verdict({}), verdict({ scene: 'waiting', next: slow }))
    expect(rows![1]).toEqual(['keepwise', 'answered after 10.2 s', 'answered in 170 ms'])
    const { [MENDED]: failing } = tablesOf(verdict({ next: { failed: 2, took: { first: 1, last: 2 } } }))
    expect(failing![1]).toEqual(['keepwise', '', '2 failed'])
  })

  it('say who has given up on the living', () => {
    const { [LIVING]: rows } = tablesOf(
      verdict({ contestant: 'undici', scene: 'slow', answered: 3, ended: 0, codes: [] }),
      verdict({ contestant: 'undici', scene: 'window', answered: 0, ended: 0, after: undefined, codes: [] }),
      verdict({ scene: 'slow', codes: ['ERR_SOCKET_TIMEOUT'] }),
      verdict({ scene: 'window', answered: 2, ended: 1 }),
    )
    expect(rows!.slice(1).map((row) => row.slice(1))).toEqual([
      ['answered after 5.0 s', 'no answer'],
      ['failed after 5.0 s: `ERR_SOCKET_TIMEOUT`', '1 of 3 failed: `ETIMEDOUT`'],
    ])
  })

  it('leave out what was not measured', () => {
    expect(Object.keys(tablesOf(verdict({ scene: 'slow' })))).toEqual([LIVING])
    expect(Object.keys(tablesOf(verdict({})))).toEqual([SECONDS, TOLD, MENDED])
  })
})

describe('docs/dead-peers.md', () => {
  it('has the table of a full run: every client in every scene, keepwise in all of them within 6 s', () => {
    const rows = new Page('docs/dead-peers.md').table(SECONDS, 'client')
    expect(rows).toHaveLength(9)
    const ours = rows.filter(({ client }) => client!.includes('keepwise'))
    expect(ours).toHaveLength(2)
    for (const { client, ...seconds } of ours) {
      expect(Object.keys(seconds)).toHaveLength(5)
      for (const cell of Object.values(seconds))
        expect(Number(cell.split(' to ').at(-1)), client).toBeLessThanOrEqual(6)
    }
  })
})
