/**
 * Every piece of code in the documentation runs as pasted, against the built package, and prints what its comments say.
 *
 * Two things are changed first: `https://example.com` becomes a server of this machine, and the file `internal-ca.pem` is
 * there. A comment behind `console.log(…)` is what it prints; a number with a fraction was measured, and any will do.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runNode } from '../support/run-node.js'
import { type RunningServer, startServer } from '../support/servers/node.js'
import { type Fence, pages, root } from './markdown.js'

/** Languages of fenced blocks: code that runs here, commands (`links.test.ts` looks at them), pictures. */
const languages = ['js', 'sh', 'text']

const fences = pages().flatMap((page) =>
  page.fences().map((fence) => ({ name: `${page.path}:${fence.line}`, ...fence })),
)
const snippets = fences.filter(({ language }) => language === 'js')

let server: RunningServer
let directory: string

beforeAll(async () => {
  if (!existsSync(join(root, 'dist/index.js'))) throw new Error('Not built: npm run build:quick')
  server = await startServer((request, response) => {
    if (request.url === '/crash') request.socket.resetAndDestroy()
    else response.end('<!doctype html>')
  })
  // Within the package, so that its own name leads to it.
  mkdirSync(join(root, '.cache'), { recursive: true })
  directory = mkdtempSync(join(root, '.cache/snippets-'))
  writeFileSync(join(directory, 'internal-ca.pem'), rootCertificates[0] as string)
})

afterAll(async () => {
  await server?.close()
  if (directory !== undefined) rmSync(directory, { recursive: true })
})

/** What the comments of a snippet say that it prints. */
const promises = (code: string): string[] =>
  [...code.matchAll(/console\.log\(.*\)\)? \/\/ (.*)$/gm)].map(([, printed]) => printed as string)

const comparable = (text: string): string => text.replace(/\d+\.\d+/g, '#.#')

describe('code in the documentation', () => {
  it('is there, and in languages that are looked at', () => {
    expect(snippets.length).toBeGreaterThan(10)
    expect(fences.filter(({ language }) => !languages.includes(language)).map(({ name }) => name)).toEqual([])
  })

  it('promises output somewhere', () => {
    expect(snippets.filter(({ code }) => promises(code).length > 0).length).toBeGreaterThan(5)
  })

  it.concurrent.each(snippets.map((snippet) => [snippet.name, snippet as Fence] as const))(
    '%s runs as pasted',
    async (name, { code }) => {
      const local = code.replaceAll('https://example.com', server.origin)
      expect(local, 'no test goes to the network').not.toMatch(/https?:\/\/(?!127\.0\.0\.1|\$|localhost)/)
      const file = join(directory, `${name.replaceAll(/[^\w]+/g, '-')}.${/\brequire\(/.test(code) ? 'cjs' : 'mjs'}`)
      writeFileSync(file, local)

      const { code: exitCode, stdout, stderr } = await runNode(file, { cwd: directory })
      expect(stderr).toBe('')
      expect(exitCode).toBe(0)
      let rest = comparable(stdout)
      for (const line of promises(code).map(comparable)) {
        const [before, ...after] = rest.split(`${line}\n`)
        expect(after, `prints "${line}", in order; it printed:\n${stdout}`).not.toEqual([])
        expect(before === '' || before?.endsWith('\n'), `prints "${line}" as a line of its own`).toBe(true)
        rest = after.join(`${line}\n`)
      }
    },
    40_000,
  )
})
