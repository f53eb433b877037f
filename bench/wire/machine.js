// The machine and the versions that a result belongs to.

import { existsSync, readFileSync } from 'node:fs'
import os from 'node:os'
import { join, resolve } from 'node:path'

/** One line about the machine. */
export function describeMachine() {
  const cpus = os.cpus()
  const model = cpus[0]?.model.trim() || 'unknown CPU'
  return `${cpus.length} x ${model}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}, ${os.arch()}`
}

/** The versions of all contestants. */
export function describeVersions() {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return [
    `keepwise ${version}`,
    `Node ${process.versions.node} (its own undici ${process.versions.undici})`,
    ...['undici', 'agentkeepalive', 'got', 'axios'].map((name) => `${name} ${installedVersion(name)}`),
  ].join(', ')
}

/** Not every package lets itself be asked by `require('name/package.json')`. */
function installedVersion(name) {
  for (let directory = import.meta.dirname; ; directory = resolve(directory, '..')) {
    const file = join(directory, 'node_modules', name, 'package.json')
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')).version
    if (directory === resolve(directory, '..')) throw new Error(`${name} is not installed`)
  }
}
