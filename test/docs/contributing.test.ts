/** docs/contributing.md names files that exist, and the layers of docs/how-it-works.md are those that are checked. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { probing } from '../../docs/figures/keep-alives.mjs'
import { livenessPresets } from '../../src/index.js'
import { Page, pages, reference, root } from './markdown.js'
import { constantStrings } from './source.js'

const contributing = new Page('docs/contributing.md')

describe('docs/contributing.md', () => {
  const named = [...contributing.text.matchAll(/`((?:src|test|docs|bench|\.ci)\/[\w./-]+)`/g)].map(([, path]) => path!)

  it('names files that exist', () => {
    expect(named.length).toBeGreaterThan(30)
    for (const path of named) expect(existsSync(join(root, path)), path).toBe(true)
  })

  it('names, for each thing to add, where it is declared', () => {
    const lists = contributing.section('How to add').split(/^### /m).slice(1)
    expect(lists.length).toBeGreaterThan(5)
    for (const list of lists) expect(list, list.split('\n')[0]).toMatch(/`(?:src|docs)\/[\w./-]+\.m?[jt]s`/)
  })
})

it('has the layers that are checked, in the text for contributors', () => {
  const block = /```text\n(.*?)```/s.exec(new Page('docs/how-it-works.md').section('Layers'))?.[1] ?? ''
  const listed = block
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ')[0])
  expect(listed).toEqual(constantStrings('../test/layers.test.ts', 'layers'))
})

it('has every page in the index', () => {
  const index = new Page('docs/README.md')
  const linked = index.links().map((link) => join('docs', link.split('#')[0] as string))
  for (const { path } of pages()) if (!['README.md', index.path].includes(path)) expect(linked).toContain(path)
  expect(linked).toContain(reference().find(({ path }) => path.endsWith('README.md'))?.path)
})

describe('the figure of TCP keepalive', () => {
  it('has the numbers of the default', () => {
    const { idle, interval, probes } = livenessPresets.cloud
    expect({ ...probing, forgets: undefined }).toEqual({
      idle: idle / 1000,
      interval: interval / 1000,
      probes,
      forgets: undefined,
    })
    const svg = readFileSync(join(root, 'docs/figures/tcp-keepalive.svg'), 'utf8')
    const { idle: Ti, interval: Td, probes: Nm } = probing
    for (const words of [
      `Ti = ${Ti} s`,
      `Td = ${Td} s apart, Nm = ${Nm}`,
      `= ${Ti + Td * Nm} s`,
      `dead after ${Ti + Td * Nm} s`,
    ])
      expect(svg).toContain(words)
  })

  it('has a NAT that the presets keep awake, as docs/how-it-works.md has it', () => {
    expect(new Page('docs/how-it-works.md').section('Liveness presets')).toContain(`often ${probing.forgets} s`)
    expect(readFileSync(join(root, 'docs/figures/tcp-keepalive.svg'), 'utf8')).toContain(
      `its ${probing.forgets} s anew`,
    )
  })
})
