/** docs/proof.md: its tables are those of the code, and the endings that it lists look to the kernel as it says. */
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.js'
import { loadNative, type Native } from '../../src/liveness/native.js'
import { type KernelTally, TcpInfoReader } from '../../src/liveness/tcp-info.js'
import { isIdempotent, MOST_REPLAYS, permits, replayLevels } from '../../src/replay/permission.js'
import { MOST_REMEMBERED } from '../../src/replay/remembered-body.js'
import { type Evidence, type Verdict, verdictOf } from '../../src/replay/verdict.js'
import { Witness } from '../../src/wire/witness.js'
import { describeWith } from '../support/requirements.js'
import { code, Page, type Row } from './markdown.js'
import { aliasStrings, numbersOf } from './source.js'

const page = new Page('docs/proof.md')
const said = page.text.replaceAll(/\s+/g, ' ')

const cell = (row: Row | undefined, title: string): string => code(row?.[title])

describe('the table of verdicts', () => {
  const rows = page.table('The verdicts', 'Written')
  const booleans = [false, true]

  /** Everything that can be seen: bytes known or not, some or none, and all that may come with it. */
  const combinations: Evidence[] = []
  for (const [written, sent, acknowledged] of [
    [undefined, undefined, undefined],
    [0, undefined, undefined],
    [100, undefined, undefined],
    [0, 0, 0],
    [0, 0, 1],
    [100, 0, 0],
    [100, 0, 1],
    [100, 100, 0],
    [100, 100, 1],
    [100, 100, 100],
  ])
    for (const fin of booleans)
      for (const reset of booleans)
        for (const requestTimeout of booleans)
          combinations.push({ written, sent, acknowledged, fin, reset, requestTimeout, watched: 0 })

  const holds: Readonly<Record<string, (value: unknown) => boolean>> = {
    any: () => true,
    yes: (value) => value === true,
    no: (value) => value === false,
    'not known': (value) => value === undefined,
    '0': (value) => value === 0,
    'more than 0': (value) => typeof value === 'number' && value > 0,
  }
  const fits = (row: Row, evidence: Evidence): boolean => {
    const { written, sent, acknowledged, fin, reset, requestTimeout } = evidence
    const bytes = { Written: written, Sent: sent, Acknowledged: acknowledged }
    return Object.entries({ ...bytes, FIN: fin, RST: reset, '408 before': requestTimeout }).every(([title, value]) => {
      const test = holds[cell(row, title)]
      if (test === undefined) throw new Error(`"${cell(row, title)}" is no word of this table`)
      return test(value)
    })
  }
  const rowOf = (evidence: Evidence): Row | undefined => rows.find((row) => fits(row, evidence))

  it.each(combinations.map((evidence) => [JSON.stringify(evidence), evidence] as const))('holds for %s', (_, each) => {
    expect(cell(rowOf(each), 'Verdict')).toBe(verdictOf(each))
  })

  it('has no line that never counts', () => {
    expect([...new Set(combinations.map(rowOf))].filter((row) => row !== undefined)).toHaveLength(rows.length)
  })

  it('is followed by the meaning of every verdict', () => {
    const meanings = page.tables('The verdicts').filter(([row]) => row !== undefined && 'Meaning' in row)
    expect(meanings.flat().map((row) => code(row.Verdict))).toEqual(aliasStrings('replay/verdict.ts', 'Verdict'))
  })
})

describe('the table of levels', () => {
  const [rows = []] = page.tables('The verdicts').filter(([row]) => row !== undefined && "`'off'`" in row)
  const meanings = { none: [false, false], any: [true, true], 'harmless ones': [false, true] }

  it('has every verdict and every level', () => {
    expect(rows.map((row) => code(row.Verdict))).toEqual(aliasStrings('replay/verdict.ts', 'Verdict'))
    const levels = Object.keys(rows[0] ?? {}).slice(1)
    expect(levels.map((title) => code(title))).toEqual(replayLevels.map((level) => `'${level}'`))
  })

  it.each(
    rows.flatMap((row) =>
      Object.entries(row)
        .slice(1)
        .map(([title, says]) => [cell(row, 'Verdict') as Verdict, code(title).replaceAll("'", ''), says] as const),
    ),
  )('%s under %s: %s', (verdict, name, says) => {
    const level = replayLevels.find((each) => each === name) ?? 'off'
    expect([permits(level, verdict, false), permits(level, verdict, true)]).toEqual(
      meanings[says as keyof typeof meanings],
    )
  })
})

describe('the numbers', () => {
  it('of TCP_INFO are the offsets that are read', () => {
    const names: Readonly<Record<string, string>> = {
      tcpi_state: 'STATE',
      tcpi_bytes_acked: 'BYTES_ACKNOWLEDGED',
      tcpi_bytes_received: 'BYTES_RECEIVED',
      tcpi_bytes_sent: 'BYTES_SENT',
      tcpi_last_ack_recv: 'LAST_ACK_RECEIVED',
      tcpi_rtt: 'RTT_US',
      tcpi_rttvar: 'RTT_VARIANCE_US',
    }
    const offsets = numbersOf('liveness/tcp-info.ts')
    const rows = page.table('Where each number comes from', 'Field in `struct tcp_info`')
    const listed = rows.map((row) => [cell(row, 'Field in `struct tcp_info`'), Number(row.Offset)])
    expect(Object.fromEntries(listed)).toEqual(
      Object.fromEntries(Object.entries(names).map(([field, name]) => [field, offsets[name]])),
    )
  })

  it('of the watch are those of the witness', () => {
    const title = 'Constant in `src/wire/witness.ts`'
    const rows = page.table('Where each number comes from', title)
    const listed = rows.map((row) => [cell(row, title), Number(row.Value)])
    expect(Object.fromEntries(listed)).toEqual(numbersOf('wire/witness.ts'))
  })

  it('of replays and remembered bytes are those of the code', () => {
    expect(MOST_REPLAYS).toBe(2)
    expect(said).toContain('sent again twice before')
    expect(MOST_REMEMBERED).toBe(1024 * 1024)
    expect(said).toContain('more than 1 MiB')
  })

  it('says from what idle time on an unprovable connection is avoided', () => {
    const { SHORTEST_IDLE_TIMER } = numbersOf('keepalive/reuse.ts')
    for (const { text } of [page, new Page('docs/how-it-works.md')])
      expect(text.replaceAll(/\s+/g, ' ')).toContain(`idled for ${SHORTEST_IDLE_TIMER} ms`)
  })

  it('names the idempotent methods', () => {
    const [, listed = ''] = /without proof, as RFC 9110 9\.2\.2 allows: ([A-Z, ]+), and/.exec(said) ?? []
    const all = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY']
    expect(listed.split(', ').sort()).toEqual(all.filter(isIdempotent).sort())
  })
})

/** Both ends of one connection in this process. */
interface Ends {
  readonly server: Socket
  /** Writes the request, from the client. */
  readonly ask: () => void
  /** When it has arrived: the server's program has read it. */
  readonly asked: () => Promise<unknown>
  /** When the server's FIN has been read. */
  readonly ended: () => Promise<unknown>
}

const REQUEST = 'POST / HTTP/1.1\r\n\r\n'

/** What the server does, by the words of the table. */
const endings: Readonly<Record<string, (ends: Ends) => Promise<void>>> = {
  'close(), then the request arrived': async ({ server, ask, ended }) => {
    server.destroy()
    await ended()
    ask()
  },
  'read the request, answered nothing, close()': async ({ server, ask, asked }) => {
    ask()
    await asked()
    server.destroy()
  },
  'shutdown(), then read the request': async ({ server, ask, asked, ended }) => {
    server.end()
    await ended()
    ask()
    await asked()
  },
  'shutdown(), then did not read the request': async ({ server, ask, ended }) => {
    stopReading(server)
    server.end()
    await ended()
    ask()
  },
  'reset the connection before the request was written': async ({ server, ask }) => {
    server.resetAndDestroy()
    ask()
  },
  'close() with the request unread': async ({ server, ask }) => {
    stopReading(server)
    ask()
    server.destroy()
  },
  'read the request, then reset the connection': async ({ server, ask, asked }) => {
    ask()
    await asked()
    server.resetAndDestroy()
  },
  'shutdown(), read the request, then reset the connection': async ({ server, ask, asked, ended }) => {
    server.end()
    await ended()
    ask()
    await asked()
    server.resetAndDestroy()
  },
}

/** `pause()` would let Node read what comes next all the same. */
function stopReading(socket: Socket): void {
  ;(socket as Socket & { _handle: { readStop(): void } })._handle.readStop()
}

const STATES: Readonly<Record<number, string>> = { 1: 'ESTABLISHED', 7: 'CLOSE', 8: 'CLOSE_WAIT' }

describeWith(['linux', 'koffi'], 'the table of endings', () => {
  const rows = page.table('What endings look like to the kernel', 'What the server did')
  const nameOf = (row: Row): string => (row['What the server did'] ?? '').replaceAll('`', '')
  const native = loadNative().native as Native
  const tools = { clock: systemClock, native, tcpInfo: new TcpInfoReader(native) }

  it('has a line for each that is provoked here', () => {
    expect(rows.map(nameOf)).toEqual(Object.keys(endings))
  })

  it.each(rows.map((row) => [nameOf(row), row] as const))('%s', async (name, row) => {
    const listener = net.createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const { port } = listener.address() as AddressInfo
    const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const [server] = (await once(listener, 'connection')) as [Socket]
    listener.close()
    let fd = -1
    try {
      for (const socket of [client, server]) socket.on('error', () => {})
      client.resume()
      // Requests and answers: after a few the kernel holds acknowledgements back, in the hope of an answer to go with them.
      for (let i = 0; i < 5; i++) {
        client.write('GET')
        await once(server, 'data')
        server.write('200')
        await once(client, 'data')
      }
      await sleep(5)
      const { bytesRead, bytesWritten: writtenBefore } = client
      fd = native.duplicate((client as Socket & { _handle: { fd: number } })._handle.fd)
      let processed = 'no'
      const arrival = once(server, 'data').then(
        () => (processed = 'yes'),
        () => {},
      )
      const end = once(client, 'end')
      end.catch(() => {})
      const ask = () => void client.write(REQUEST)
      await endings[name]?.({ server, ask, asked: () => arrival, ended: () => end })

      const look = () => {
        const count = () => ({ bytesRead, bytesWritten: writtenBefore + REQUEST.length })
        const tally = tools.tcpInfo.tally(fd) as KernelTally
        const { evidence } = new Witness(fd, tally, { writtenBefore, count }, false, tools)
        const { sent, acknowledged, fin } = evidence
        const info = Buffer.alloc(8)
        native.getBytes(fd, 6, 11, info)
        return {
          State: STATES[info[0] as number],
          FIN: fin ? 'yes' : 'no',
          Acknowledged: acknowledged === 0 ? '0' : acknowledged === sent ? 'all' : 'some',
          Verdict: verdictOf(evidence),
          Processed: processed,
        }
      }
      const expected = { ...look(), ...Object.fromEntries(Object.entries(row).slice(1)), Verdict: cell(row, 'Verdict') }
      await expect.poll(look, { timeout: 2000, interval: 5 }).toEqual(expected)
      // And so it stays: a delayed acknowledgement would have come.
      await sleep(100)
      expect(look()).toEqual(expected)
    } finally {
      if (fd >= 0) native.close(fd)
      client.destroy()
      server.destroy()
    }
  })
})
