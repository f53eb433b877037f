/**
 * Other Node versions to test on. Their binaries come from the registry packages `node-<platform>-<arch>` and live in
 * `.cache/nodes/<major>`; `node test/support/install-nodes.js` puts them there.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export type NodeMajor = 20 | 22 | 24 | 26

export const NODE_MAJORS: readonly NodeMajor[] = [20, 22, 24, 26]

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The binary of a Node version: the running one where it is of that major, else the one installed for tests. */
export function nodeBinary(major: NodeMajor): string {
  if (isRunning(major)) return process.execPath
  const name = `node-${process.platform}-${process.arch}`
  return resolve(ROOT, '.cache', 'nodes', String(major), 'node_modules', name, 'bin', 'node')
}

export function hasNode(major: NodeMajor): boolean {
  return existsSync(nodeBinary(major))
}

/** A file to run, or a program text; a text is a module unless it says otherwise, and resolves imports from `cwd`. */
export type NodeProgram = { file: string } | { source: string; type?: 'module' | 'commonjs' }

export interface RunOptions {
  /** Added to the environment of this process. */
  env?: Record<string, string | undefined>
  /** @default the root of this project, where `keepwise` itself can be imported once it is built */
  cwd?: string
  /** Arguments of the program. */
  args?: readonly string[]
  /** Flags of Node itself. */
  flags?: readonly string[]
  /** Longest run in milliseconds; then the program is killed and the run rejects. @default 20_000 */
  timeout?: number
}

export interface RunResult {
  /** The exit code, or null when a signal ended the program. */
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** Runs a program on a Node version to its own end. Rejects when it does not end in time. */
export function runOnNode(major: NodeMajor, program: NodeProgram, options: RunOptions = {}): Promise<RunResult> {
  const { env, cwd = ROOT, args = [], flags = [], timeout = 20_000 } = options
  // A program text has no path: without a word in its place the arguments would begin one earlier in process.argv.
  const what =
    'file' in program
      ? [resolve(cwd, program.file), ...args]
      : [`--input-type=${program.type ?? 'module'}`, '--eval', program.source, '--', '[eval]', ...args]
  const child = spawn(nodeBinary(major), [...flags, ...what], {
    cwd,
    // NODE_OPTIONS and vitest's own variables belong to this process; a program under test starts clean.
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((settle, reject) => {
    let isOverdue = false
    const timer = setTimeout(() => {
      isOverdue = true
      child.kill('SIGKILL')
    }, timeout)
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    // 'close', not 'exit': only then has everything been read of what the program printed.
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      if (isOverdue) {
        reject(new Error(`Node ${major} still ran after ${timeout} ms. It printed: ${stdout}${stderr}`))
      } else settle({ code, signal, stdout, stderr })
    })
  })
}

function isRunning(major: NodeMajor): boolean {
  return process.versions.node.startsWith(`${major}.`)
}

/** Where a path inside the project is, for programs that run elsewhere. */
export function projectPath(...parts: string[]): string {
  return join(ROOT, ...parts)
}
