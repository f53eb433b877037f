/** Links of the documentation lead somewhere, commands in it exist, and its versions are those of the package. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Page, pages, root } from './markdown.js'

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

describe.each(pages().map((page) => [page.path, page] as const))('%s', (path, page) => {
  it('has links that lead somewhere', () => {
    for (const link of page.links()) {
      if (/^https:/.test(link)) continue // not ours, and no test goes to the network
      const [target = '', anchor] = link.split('#')
      const file = target === '' ? path : join(dirname(path), target)
      expect(existsSync(join(root, file)), `${path}: ${link}`).toBe(true)
      if (anchor !== undefined) expect(new Page(file).anchors(), `${path}: ${link}`).toContain(anchor)
    }
  })

  it('names commands that exist', () => {
    for (const [, script] of page.text.matchAll(/npm run ([\w:-]+)/g))
      expect(manifest.scripts).toHaveProperty([script as string])
  })

  it('has no trailing spaces and no line that only a wide screen shows', () => {
    // What a program has written between its marks is as wide as it is.
    const written = page.text.replace(/(<!-- measured: begin)[\s\S]*?(<!-- measured: end)/, '$1$2')
    for (const [index, line] of written.split('\n').entries()) {
      expect(line, `${path}:${index + 1}`).not.toMatch(/\s$/)
      // Tables, images and links cannot be broken.
      if (!/^\||\]\(/.test(line)) expect(line.length, `${path}:${index + 1}`).toBeLessThanOrEqual(140)
    }
  })
})

it('reaches every page of docs from the README, by way of the index at most', () => {
  const linked = [...new Page('README.md').links(), ...new Page('docs/README.md').links().map((to) => join('docs', to))]
  for (const { path } of pages()) if (path !== 'README.md') expect(linked).toContain(path)
})

describe('versions', () => {
  const readme = new Page('README.md')

  it('has the Node version that the package asks for', () => {
    expect(readme.section('Requirements')).toContain(`Node ${manifest.engines.node.replace('>=', '')} or later`)
  })

  it('has an entry of the changelog for the version of the package, in Keep a Changelog form', () => {
    const changelog = new Page('CHANGELOG.md')
    const entries = [...changelog.text.matchAll(/^## \[(.*?)\](.*)$/gm)].map(([, version, date]) => [version, date])
    expect(entries.length).toBeGreaterThan(0)
    for (const [version, date] of entries)
      expect(`${version}${date}`).toMatch(/^(Unreleased|\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2})$/)
    expect(changelog.text).toContain(manifest.version)
    const kinds = [...changelog.text.matchAll(/^### (.*)$/gm)].map(([, kind]) => kind)
    expect(['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security']).toEqual(expect.arrayContaining(kinds))
  })
})
