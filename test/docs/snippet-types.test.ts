/**
 * Every piece of code in the documentation agrees with the types that users get: it is compiled as a program of theirs would
 * be, against src. (That it runs, and prints what it says, is `snippets.test.ts`.)
 */
import { join } from 'node:path'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { pages, root } from './markdown.js'

/** What plain JavaScript may do, and TypeScript wants a check or a cast for: none of it concerns keepwise's own types. */
const lenience: readonly RegExp[] = [
  /^Property 'port' does not exist on type 'string \| AddressInfo'/,
  /^Property 'code' does not exist on type 'Error'/,
  /^Property 'timer' does not exist on type 'Socket'/,
  // Node's agents have it; @types/node has it in the options only.
  /^Property 'keepAlive' does not exist on type 'HttpAgentClass'/,
]

const options: ts.CompilerOptions = {
  allowJs: true,
  checkJs: true,
  noEmit: true,
  strict: false,
  skipLibCheck: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  types: ['node'],
  paths: { keepwise: [join(root, 'src/index.ts')], 'keepwise/*': [join(root, 'src/*.ts')] },
}

/** By the file that each would be, within this package so that what it imports is found. */
function snippets(): Map<string, string> {
  const files = new Map<string, string>()
  for (const page of pages())
    for (const { language, line, code } of page.fences()) {
      const extension = /\brequire\(/.test(code) ? 'cjs' : 'mjs'
      const name = `${page.path.replaceAll('/', '.')}.${line}.${extension}`
      if (language === 'js') files.set(join(root, '.cache', name), code)
    }
  return files
}

/** What the compiler says of each, by page and line. */
function complaintsOf(files: ReadonlyMap<string, string>): string[] {
  const host = ts.createCompilerHost(options)
  const { readFile, fileExists, getSourceFile } = host
  host.fileExists = (name) => files.has(name) || fileExists(name)
  host.readFile = (name) => files.get(name) ?? readFile(name)
  host.getSourceFile = (name, language, ...rest) => {
    const code = files.get(name)
    return code === undefined
      ? getSourceFile(name, language, ...rest)
      : ts.createSourceFile(name, code, typeof language === 'object' ? language : { languageVersion: language })
  }
  const program = ts.createProgram([...files.keys()], options, host)
  return [...files.keys()].flatMap((name) => {
    const source = program.getSourceFile(name)
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    return found
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))
      .filter((message) => !lenience.some((pattern) => pattern.test(message)))
      .map((message) => `${name.slice(join(root, '.cache').length + 1)}: ${message}`)
  })
}

it('agrees with the types, but for the one that shows a misspelt option', () => {
  const files = snippets()
  expect(files.size).toBeGreaterThan(50)
  expect(complaintsOf(files)).toEqual([
    expect.stringMatching(/^docs\.options\.md\.\d+\.mjs: .*'idleTimeout' does not exist in type 'PoolOptions'/),
  ])
})
