/**
 * Imports in src run downwards only, without cycles, types included, and what reaches outside stays in few places.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

/** From top to bottom. A folder with its slash is everything in it. A file may import from its own layer and below. */
const layers = [
  'cli.ts',
  'cli/',
  'doctor/',
  'watch.ts',
  'watch/',
  'index.ts',
  'server.ts',
  'prometheus.ts',
  'prometheus/',
  'drop-in.ts',
  'pool.ts',
  'dispatcher/',
  'agent/',
  'server/',
  'telemetry/',
  'timeline/',
  'pool/',
  'wire/',
  'options/',
  'errors.ts',
  'channels.ts',
  'events.ts',
  'snapshot.ts',
  'replay/',
  'keepalive/',
  'liveness/',
  'meter.ts',
  'registry.ts',
  'reasons.ts',
  'agenda.ts',
  'clock.ts',
] as const

/** Evaluated before everything else, so outside the order: it may import nothing, and index.ts alone imports it. */
const PRELUDE = 'builtin-fetch-first.ts'

/**
 * Imports that would close a cycle, allowed because the field they type cannot be typed without them: a part of the pool
 * names its whole. Of types only: nothing is loaded by them. One that is not needed any more fails below.
 */
const backReferences = ['pool/connection.ts > pool/origin-pool.ts', 'pool/origin-pool.ts > pool/pool-core.ts']

interface Import {
  readonly from: string
  /** A file of src, or the name of a package. */
  readonly to: string
  readonly inside: boolean
  readonly typeOnly: boolean
}

const src = fileURLToPath(new URL('../src', import.meta.url))
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
const imports = files.flatMap(importsOf)
const inside = imports.filter((each) => each.inside)

/** All imports and re-exports of a file, `import()` types and dynamic imports included. */
function importsOf(from: string): Import[] {
  const found: Import[] = []
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier === undefined) return
    if (!ts.isStringLiteral(specifier)) throw new Error(`${from} imports what cannot be read: ${specifier.getText()}`)
    const { text } = specifier
    if (text.startsWith('.')) {
      const to = normalize(join(dirname(from), text)).replace(/\.js$/, '.ts')
      if (!files.includes(to)) throw new Error(`${from} imports ${text}, which is no file of src`)
      found.push({ from, to, inside: true, typeOnly })
    } else found.push({ from, to: text, inside: false, typeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node.importClause))
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    else if (ts.isCallExpression(node) && loads(node.expression)) add(node.arguments[0], false)
    node.forEachChild(visit)
  }
  visit(ts.createSourceFile(from, readFileSync(join(src, from), 'utf8'), ts.ScriptTarget.ES2022, true))
  return found
}

/** `import type …`, or each of its names marked so. */
function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false
  if (clause.isTypeOnly) return true
  const bindings = clause.namedBindings
  return (
    clause.name === undefined &&
    bindings !== undefined &&
    ts.isNamedImports(bindings) &&
    bindings.elements.every((element) => element.isTypeOnly)
  )
}

/** `import(…)`, `require(…)`, `createRequire(…)(…)`. */
function loads(callee: ts.Expression): boolean {
  return (
    callee.kind === ts.SyntaxKind.ImportKeyword ||
    (ts.isIdentifier(callee) && callee.text === 'require') ||
    (ts.isCallExpression(callee) && callee.expression.getText() === 'createRequire')
  )
}

const belongs = (file: string, layer: string): boolean =>
  layer.endsWith('/') ? file.startsWith(layer) : file === layer

/** Counted from the top; -1 for none. */
const layerOf = (file: string): number => layers.findIndex((layer) => belongs(file, layer))

const edge = ({ from, to }: Import): string => `${from} > ${to}`

/** A cycle as a list of files, the first one again at its end; undefined for none. */
function cycle(edges: readonly Import[]): string[] | undefined {
  const next = new Map<string, string[]>()
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to])
  const done = new Set<string>()
  const walk = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const to of next.get(file) ?? []) {
      const found = walk(to, [...path, file])
      if (found !== undefined) return found
    }
    done.add(file)
    return undefined
  }
  for (const file of next.keys()) {
    const found = walk(file, [])
    if (found !== undefined) return found
  }
  return undefined
}

describe('layers', () => {
  it('has a layer for every file, and files in every layer', () => {
    expect(files.filter((file) => layerOf(file) < 0)).toEqual([PRELUDE])
    expect(layers.filter((_, index) => !files.some((file) => layerOf(file) === index))).toEqual([])
  })

  it('imports nothing from above', () => {
    const upwards = inside.filter(({ from, to }) => to !== PRELUDE && layerOf(to) < layerOf(from))
    expect(upwards.map(edge)).toEqual([])
  })

  it('has a prelude that imports nothing, imported by index.ts alone and first', () => {
    expect(imports.filter(({ from }) => from === PRELUDE)).toEqual([])
    expect(inside.filter(({ to }) => to === PRELUDE).map(edge)).toEqual([`index.ts > ${PRELUDE}`])
    expect(imports.find(({ from }) => from === 'index.ts')?.to).toBe(PRELUDE)
  })

  it('has no cycle among what is loaded', () => {
    expect(cycle(inside.filter(({ typeOnly }) => !typeOnly))).toBeUndefined()
  })

  it('has no cycle among types, but for the back references', () => {
    expect(cycle(inside.filter((each) => !backReferences.includes(edge(each))))).toBeUndefined()
  })

  it.each(backReferences)('needs the back reference %s, of types only', (reference) => {
    const found = inside.filter((each) => edge(each) === reference)
    expect(found).not.toEqual([])
    expect(found.filter(({ typeOnly }) => !typeOnly)).toEqual([])
    const others = backReferences.filter((each) => each !== reference)
    expect(cycle(inside.filter((each) => !others.includes(edge(each))))).toBeDefined()
  })

  it('is drawn in docs/how-it-works.md as it is here', () => {
    const page = readFileSync(new URL('../docs/how-it-works.md', import.meta.url), 'utf8')
    const [, picture = ''] = /### Layers.*?```text\n(.*?)```/s.exec(page) ?? []
    expect(
      picture
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    ).toEqual([...layers])
  })
})

describe('what reaches outside', () => {
  const importers = (...packages: string[]): string[] => [
    ...new Set(imports.filter(({ to, typeOnly }) => !typeOnly && packages.includes(to)).map(({ from }) => from)),
  ]

  it('loads koffi in one place', () => {
    expect(importers('koffi')).toEqual(['liveness/native.ts'])
  })

  it('uses undici where requests, sockets and the users of the pool are, and nowhere in the pool itself', () => {
    for (const file of importers('undici')) expect(file).toMatch(/^(dispatcher\/|wire\/dialer\.ts$|pool\.ts$)/)
    expect(importers('undici')).not.toEqual([])
  })

  it('keeps policies and the pool without sockets, files, processes and timers of their own', () => {
    const pure = imports.filter(
      ({ from, inside, typeOnly }) => /^(keepalive|pool)\//.test(from) && !inside && !typeOnly,
    )
    expect(pure.map(edge)).toEqual(['pool/dials.ts > p-queue'])
  })

  it.each(files.filter((file) => /^(keepalive|pool|telemetry)\//.test(file)))(
    'reads no clock and sets no timer in %s',
    (file) => {
      const text = readFileSync(join(src, file), 'utf8')
      expect(text).not.toMatch(/\b(Date\.now|performance\.now|process\.hrtime|setTimeout|setInterval|setImmediate)\b/)
    },
  )
})
