/** docs/channels.md has every channel, every field of its messages, and the words of NODE_DEBUG. */
import { tracingChannel } from 'node:diagnostics_channel'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { channelNames, tracingNames } from '../../src/channels.js'
import { Trace } from '../../src/pool/trace.js'
import { describe as lineOf } from '../../src/timeline/describe.js'
import { reliedOn } from '../../src/timeline/record.js'
import { code, Page } from './markdown.js'
import { interfaceMembers, interfaceNames, literalMembers } from './source.js'

const page = new Page('docs/channels.md')

const codes = (cell: string | undefined): string[] =>
  [...(cell ?? '').matchAll(/`([^`]*)`/g)].map(([, each]) => each as string)

describe('docs/channels.md', () => {
  it('lists the channel of each event, and the fields of its messages', () => {
    const events = interfaceMembers('events.ts', 'PoolEvents')
    const rows = page.table('Events', 'Channel')
    expect(rows.map(({ Channel, Event }) => [code(Event), code(Channel)])).toEqual(Object.entries(channelNames))
    for (const { Event, Fields } of rows) {
      const type = events.find(({ name }) => name === code(Event))?.type
      if (type === undefined || !ts.isFunctionTypeNode(type)) throw new Error(`no event ${Event}`)
      expect(codes(Fields), Event).toEqual(literalMembers(type.parameters[0]?.type).map(({ name }) => name))
    }
  })

  it('lists the tracing channels, and the fields of their messages', () => {
    const names = page.table('What takes time', 'Tracing channel').map((row) => code(row['Tracing channel']))
    expect(names).toEqual(Object.values(tracingNames))
    const fieldsOf = (heading: string): string[] => page.table(heading, 'Field').map(({ Field }) => code(Field))
    expect(fieldsOf('keepwise:acquire')).toEqual(interfaceNames('channels.ts', 'AcquireMessage'))
    expect(fieldsOf('keepwise:dial')).toEqual(interfaceNames('channels.ts', 'DialMessage'))
    expect(fieldsOf('pool')).toEqual(interfaceNames('registry.ts', 'PoolIdentity'))
  })

  it('has the phases of each way in which an operation ends', () => {
    const rows = page.table('What takes time', 'What happens')
    expect(rows.map(({ Phases }) => codes(Phases))).toEqual([
      phasesOf((trace) => trace.run(() => trace.end({}, () => {}))),
      phasesOf((trace) => trace.run(() => trace.end({ error: new Error() }, () => {}))),
      phasesOf((trace) => {
        trace.run(() => {})
        trace.end({}, () => {})
      }),
      phasesOf((trace) => {
        trace.run(() => {})
        trace.end({ error: new Error() }, () => {})
      }),
      phasesOf((trace) => {
        trace.run(() => {})
        trace.giveUp()
      }),
    ])
  })

  it('has the words of NODE_DEBUG that are no events', () => {
    const words = page.table('NODE_DEBUG', 'Word').map(({ Word }) => code(Word))
    expect(words).toEqual(Object.keys(reliedOn).filter((word) => !(word in channelNames)))
  })

  it('shows lines of NODE_DEBUG as they are', () => {
    const [lines = ''] = page
      .fences()
      .filter(({ code: text }) => text.startsWith('KEEPWISE'))
      .map(({ code: text }) => text)
    const origin = 'http://127.0.0.1:8080'
    const pool = { id: 1, name: 'default' }
    const connection = {
      ...{ id: 1, origin, localPort: 54_321, remoteAddress: '127.0.0.1', remotePort: 8080, age: 0, idle: 0 },
      ...{ requests: 1, advertisedTimeout: undefined, remaining: undefined, rtt: undefined, liveness: {} as never },
    }
    const answered = { ...connection, advertisedTimeout: 5_000 }
    const records = [
      { event: 'wait', origin, waiting: 1 },
      { event: 'dial', origin, dial: 1 },
      { event: 'open', connection, dial: 1, dialTime: 1 },
      { event: 'active', connection, reused: false, waited: 1 },
      { event: 'idle', connection: answered },
      { event: 'active', connection: { ...answered, requests: 2 }, reused: true },
      { event: 'idle', connection: { ...answered, requests: 2 } },
      {
        event: 'close',
        connection: { ...answered, requests: 2, idle: 4_950, age: 4_960 },
        reason: 'advertised-timeout',
      },
    ]
    expect(lines).toBe(
      records.map((record) => `KEEPWISE 4711: ${lineOf({ time: 0, pool, ...record } as never)}\n`).join(''),
    )
  })
})

type Anything = { error?: Error }

let operations = 0

/** The phases that a tracing channel tells of an operation. */
function phasesOf(operate: (trace: Trace<Anything>) => void): string[] {
  const channel = tracingChannel<unknown, Anything>(`keepwise:test:${operations++}`)
  const phases: string[] = []
  for (const phase of ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const)
    channel[phase].subscribe(() => phases.push(phase))
  operate(new Trace(channel, {}))
  return phases
}
