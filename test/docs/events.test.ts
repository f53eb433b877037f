/** docs/events.md has every event, every field of its payload, and every field of what they carry. */

import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { deathCauses } from '../../src/liveness/evidence.js'
import { code, Page } from './markdown.js'
import { interfaceMembers, interfaceNames, literalMembers, stringsOf } from './source.js'

const page = new Page('docs/events.md')
const listed = (heading: string, column = 'Field'): string[] =>
  page.table(heading, column).map((row) => code(row[column]))

/** Events as declared: name and payload. */
const events = interfaceMembers('events.ts', 'PoolEvents').map(({ name, type }) => {
  if (type === undefined || !ts.isFunctionTypeNode(type)) throw new Error(`the event ${name} has no listener type`)
  return [name, literalMembers(type.parameters[0]?.type).map((field) => field.name)] as const
})

describe('docs/events.md', () => {
  it('has a section for every event, and none for another', () => {
    const headings = [...page.text.matchAll(/^## (.*)$/gm)].map(([, title]) => title)
    const payloads = ['connection', 'evidence', 'evidence of a peer', 'TCP keepalive on a socket']
    expect(headings).toEqual([...events.map(([name]) => name), ...payloads])
  })

  it.each(events)('lists the fields of %s: %s', (name, fields) => {
    expect(listed(name)).toEqual(fields)
  })

  it('lists the fields of a connection', () => {
    expect(listed('connection')).toEqual(interfaceNames('snapshot.ts', 'ConnectionSnapshot'))
  })

  it('lists the fields of evidence', () => {
    expect(listed('evidence')).toEqual(interfaceNames('replay/verdict.ts', 'Evidence'))
  })

  it('lists the fields of evidence of a peer, what its connection may be doing, and how its death may be known', () => {
    const members = interfaceMembers('liveness/evidence.ts', 'PeerEvidence')
    expect(listed('evidence of a peer')).toEqual(members.map(({ name }) => name))
    const doings = stringsOf(members.find(({ name }) => name === 'doing')?.type)
    expect(doings.length).toBeGreaterThan(1)
    expect(listed('evidence of a peer', 'Doing')).toEqual(doings)
    expect(listed('evidence of a peer', 'Cause')).toEqual([...deathCauses])
  })

  it('lists the fields of TCP keepalive on a socket, and where they come from', () => {
    const members = interfaceMembers('liveness/settings.ts', 'AppliedLiveness')
    expect(listed('TCP keepalive on a socket')).toEqual(members.map(({ name }) => name))
    const sources = stringsOf(members.find(({ name }) => name === 'source')?.type)
    expect(sources.length).toBeGreaterThan(1)
    expect(listed('TCP keepalive on a socket', 'Source')).toEqual(sources)
  })
})
