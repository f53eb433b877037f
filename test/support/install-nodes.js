#!/usr/bin/env node
/**
 * Installs other Node versions for the tests: `node test/support/install-nodes.js [22 24 26]`.
 * The registry packages `node-<platform>-<arch>` hold nothing but the binary. What is there and runs is left alone.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packageName = `node-${process.platform}-${process.arch}`
const running = process.versions.node.split('.')[0]
const majors = process.argv.length > 2 ? process.argv.slice(2) : ['20', '22', '24', '26'].filter((m) => m !== running)

for (const major of majors) {
  if (!/^\d+$/.test(major)) throw new Error(`Not a major version of Node: "${major}"`)
  const directory = join(root, '.cache', 'nodes', major)
  const binary = join(directory, 'node_modules', packageName, 'bin', 'node')
  const before = versionOf(binary)
  if (before === undefined) install(directory, `${packageName}@${major}`)
  const version = versionOf(binary)
  if (!version?.startsWith(`v${major}.`)) throw new Error(`${binary} is ${version ?? 'missing'}, not Node ${major}`)
  console.log(`Node ${major}: ${version}${before === undefined ? ' (installed)' : ''}`)
}

function install(directory, specifier) {
  // An own package.json keeps npm from walking up to the project and installing there.
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'package.json'), '{ "private": true }\n')
  const flags = ['--no-save', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts']
  execFileSync('npm', ['install', '--prefix', directory, ...flags, specifier], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

function versionOf(binary) {
  try {
    return execFileSync(binary, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}
