// Where the CPU of one contestant goes: self time by function, from a profile as V8's sampling profiler writes it.

import { existsSync, readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Self time in microseconds by function and by place (a library, node, the runtime), longest first; idle left out. */
export function selfTimes(profile) {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const functions = new Map()
  const places = new Map()
  profile.samples.forEach((id, index) => {
    const { functionName, url, lineNumber, columnNumber } = nodes.get(id).callFrame
    if (functionName === '(idle)') return
    const key = `${functionName} ${url}:${lineNumber}:${columnNumber}`
    let entry = functions.get(key)
    if (!entry) {
      entry = { name: functionName || '(anonymous)', ...locate(url, lineNumber, columnNumber), time: 0 }
      functions.set(key, entry)
    }
    entry.time += profile.timeDeltas[index]
    places.set(entry.place, (places.get(entry.place) ?? 0) + profile.timeDeltas[index])
  })
  const longestFirst = (list) => list.sort((a, b) => b.time - a.time)
  return {
    functions: longestFirst([...functions.values()]),
    places: longestFirst([...places].map(([name, time]) => ({ name, time }))),
  }
}

/** The table for the terminal: the `top` functions, then the sum of each place. */
export function formatProfile(profile, requests, top = 25) {
  const { functions, places } = selfTimes(profile)
  const busy = places.reduce((sum, { time }) => sum + time, 0)
  const row = (time, text) =>
    `${(time / requests).toFixed(2).padStart(8)} us ${((100 * time) / busy).toFixed(1).padStart(5)} %  ${text}`
  return [
    ...functions.slice(0, top).map(({ name, source, time }) => row(time, `${name.padEnd(32)} ${source}`)),
    '',
    ...places.map(({ name, time }) => row(time, name)),
  ].join('\n')
}

/** Where a function is, in the TypeScript source if there is a map, and what it belongs to. */
function locate(url, line, column) {
  if (url === '') return { source: 'native', place: 'native, V8, system calls' }
  if (url.startsWith('wasm:')) return { source: url, place: 'wasm (llhttp)' }
  if (url.startsWith('node:')) {
    return { source: `${url}:${line + 1}`, place: url.includes('undici') ? "node's undici" : 'node' }
  }
  const file = relative(ROOT, url.startsWith('file:') ? fileURLToPath(url) : url)
  const library = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]
  if (library) return { source: `${file.slice(file.lastIndexOf(library))}:${line + 1}`, place: library }
  if (file.startsWith('bench/')) return { source: `${file}:${line + 1}`, place: 'the benchmark itself' }
  const { originalSource, originalLine } = mapOf(file)?.findEntry(line, column) ?? {}
  return {
    source: originalSource ? `${originalSource.replace(/^(\.\.\/)+/, '')}:${originalLine + 1}` : `${file}:${line + 1}`,
    place: 'keepwise',
  }
}

const maps = new Map()

function mapOf(file) {
  if (!maps.has(file)) {
    const path = `${ROOT}${file}.map`
    maps.set(file, existsSync(path) ? new SourceMap(JSON.parse(readFileSync(path, 'utf8'))) : null)
  }
  return maps.get(file)
}
