/** The figures are those that their script draws. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { figures } from '../../docs/figures/draw.mjs'
import { pages, root } from './markdown.js'

/** Drawn from a log by `keepwise timeline`: see timeline.test.ts. */
const fromLogs = ['timeline.svg']

const directory = join(root, 'docs/figures')

it('has exactly the figures that are drawn', () => {
  const files = readdirSync(directory).filter((name) => name.endsWith('.svg'))
  expect(files.sort()).toEqual([...Object.keys(figures), ...fromLogs].sort())
})

it.each(Object.entries(figures))('%s is as its script draws it', (name, draw) => {
  expect(readFileSync(join(directory, name), 'utf8'), 'run: node docs/figures/draw.mjs').toBe(draw())
})

it.each([...Object.keys(figures), ...fromLogs, 'watch.png'])('%s is shown somewhere', (name) => {
  expect(
    pages()
      .flatMap((page) => page.links())
      .some((link) => link.endsWith(name)),
  ).toBe(true)
})
