// What this machine offers the benchmarks: two cores to keep client and server apart, and enough file descriptors.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import os from 'node:os'

const FILES_NEEDED = 20_000

const works = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0

/** Prefixes for the client's and the server's command lines, and a sentence for each thing that is missing. */
export function prepareMachine() {
  const notes = []
  const [load] = os.loadavg()
  if (load >= 1)
    notes.push(`The machine was busy: load average ${load.toFixed(1)} before the start. Ratios are noisier.`)
  const files = raiseFileLimit(notes)
  const [serverCore, clientCore] = coreList()
  if (clientCore === undefined) {
    notes.push('Client and server share one core: this machine has no second one. Read the ratios with care.')
    return { client: files, server: files, notes }
  }
  if (!works('taskset', '-c', String(clientCore), 'true')) {
    notes.push('Client and server are not pinned to cores: taskset (util-linux) is missing. Ratios will be noisier.')
    return { client: files, server: files, notes }
  }
  const pin = (core) => [...files, 'taskset', '-c', String(core)]
  return { client: pin(clientCore), server: pin(serverCore), notes }
}

/** Node raises its soft limit to the hard one by itself; only the hard one may be in the way. */
function raiseFileLimit(notes) {
  const hard = fileLimit()
  if (hard >= FILES_NEEDED) return []
  const prefix = ['prlimit', `--nofile=${FILES_NEEDED}:${FILES_NEEDED}`]
  if (works(...prefix, 'true')) return prefix
  notes.push(`Only ${hard} open files are allowed (ulimit -Hn): 5000 connections need about ${FILES_NEEDED}.`)
  return []
}

function fileLimit() {
  const limits = readProc('/proc/self/limits')
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1]
  return hard === undefined || hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
}

/** The cores this process may use: a container's share need not start at 0. */
function coreList() {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readProc('/proc/self/status'))?.[1]
  if (!list) return os.cpus().map((_, index) => index)
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

function readProc(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** One line about the machine, for the report. */
export function describeMachine() {
  const cpus = os.cpus()
  const model = cpus[0]?.model.trim() || 'unknown CPU'
  return `${cpus.length} x ${model}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}, ${os.arch()}`
}

/** The versions a result depends on. */
export function describeVersions() {
  const version = (name) => {
    const file = new URL(`../node_modules/${name}/package.json`, import.meta.url)
    return `${name} ${JSON.parse(readFileSync(file, 'utf8')).version}`
  }
  const nginx = /nginx\/(\S+)/.exec(spawnSync('nginx', ['-v'], { encoding: 'utf8' }).stderr)?.[1] ?? 'unknown'
  return [
    `Node ${process.versions.node} (its own undici ${process.versions.undici})`,
    version('undici'),
    version('agentkeepalive'),
    `nginx ${nginx}`,
  ].join(', ')
}
