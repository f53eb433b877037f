/** docs/api is what TypeDoc makes of src, and everything that is exported is documented. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Application, Logger, LogLevel, TSConfigReader, TypeDocReader } from 'typedoc'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { reference, root } from './markdown.js'

const committed = join(root, 'docs/api')
const pagesIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .sort()

/** Keeps what it is told. */
class Complaints extends Logger {
  readonly messages: string[] = []

  override log(message: string, level: LogLevel): void {
    if (level >= LogLevel.Warn) this.messages.push(message)
  }
}

let made: string
const complaints = new Complaints()

beforeAll(async () => {
  made = mkdtempSync(join(tmpdir(), 'keepwise-api-'))
  const app = await Application.bootstrapWithPlugins(
    { options: join(root, 'docs/typedoc.json'), outputs: [{ name: 'markdown', path: made }], logLevel: 'Warn' },
    [new TypeDocReader(), new TSConfigReader()],
  )
  app.logger = complaints
  const project = await app.convert()
  if (project === undefined) throw new Error(`TypeDoc has made nothing: ${complaints.messages.join('\n')}`)
  app.validate(project)
  await app.generateOutputs(project)
}, 60_000)

afterAll(() => rmSync(made, { recursive: true, force: true }))

describe('docs/api', () => {
  it('documents everything that is exported', () => {
    expect(complaints.messages).toEqual([])
  })

  it('has the pages that are made, and no others', () => {
    expect(pagesIn(committed)).toEqual(pagesIn(made))
    expect(pagesIn(made).length).toBeGreaterThan(2)
  })

  it('has what is made today', () => {
    for (const name of pagesIn(made))
      expect(readFileSync(join(committed, name), 'utf8'), `${name}: run npm run docs:api`).toBe(
        readFileSync(join(made, name), 'utf8'),
      )
  })

  it('has a page for each entry of the package', () => {
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const entries = Object.keys(exports)
      .filter((name) => !name.endsWith('.json'))
      .map((name) => `keepwise${name.slice(1)}`)
    expect(pagesIn(made)).toEqual([...entries.map((name) => `${name}.md`), 'README.md'].sort())
  })
})

describe.each(reference().map((page) => [page.path, page] as const))('%s', (path, page) => {
  it('has links that lead somewhere', () => {
    for (const link of page.links()) {
      if (/^https:/.test(link)) continue
      const [target = '', anchor] = link.split('#')
      const file = target === '' ? path : join(dirname(path), target)
      const there = reference().find((each) => each.path === file)
      expect(there, `${path}: ${link}`).toBeDefined()
      if (anchor !== undefined) expect(there?.anchors(), `${path}: ${link}`).toContain(anchor)
    }
  })
})
