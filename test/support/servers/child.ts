/**
 * Runs a server program (nginx, Apache, HAProxy) for a test: in the foreground, as a child process with a temporary
 * directory and a free loopback port of its own. Ready when it answers with a token that only this start knows, so that
 * another program on the same port is never taken for it. Always ends, with its workers, before the test process does.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findCommand } from '../commands.js'

/** The path that every recipe must answer with the token, and keep out of its access log. */
export const READY_PATH = '/.ready'

/** What a recipe is given to write its configuration with. */
export interface ChildSetting {
  directory: string
  port: number
  token: string
}

/** How to start one kind of server. */
export interface ChildRecipe {
  name: string
  scheme: 'http' | 'https'
  /** A file in the directory that the server writes its complaints to, where it does not print them. */
  errorLog?: string
  /** Writes the configuration into the directory, and says what to run. Called again with another port if need be. */
  prepare(setting: ChildSetting): { command: string; args: string[] }
}

export interface ChildServer extends AsyncDisposable {
  origin: string
  port: number
  pid: number
  /** Its temporary directory; gone after `stop`. */
  directory: string
  /** What it has printed, and complained of in its error log. */
  output(): string
  signal(name: NodeJS.Signals): void
  stop(): Promise<void>
}

const READY_TIMEOUT = 8000
const STOP_TIMEOUT = 3000
const ATTEMPTS = 3

export async function startChild(recipe: ChildRecipe): Promise<ChildServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(recipe)
    } catch (error) {
      // The one failure that another attempt mends: somebody took the free port between our look and the start.
      if (attempt === ATTEMPTS || !/in use|already in use/i.test(String(error))) throw error
    }
  }
}

async function startOnce(recipe: ChildRecipe): Promise<ChildServer> {
  const directory = mkdtempSync(join(tmpdir(), `keepwise-${recipe.name}-`))
  // Workers run as another user and read their files here.
  chmodSync(directory, 0o755)
  const removeDirectory = () => rmSync(directory, { recursive: true, force: true })
  const port = await freePort()
  const token = randomUUID()
  const origin = `${recipe.scheme}://127.0.0.1:${port}`

  let child: ChildProcess
  try {
    const { command, args } = recipe.prepare({ directory, port, token })
    child = spawnBound(command, args, removeDirectory)
  } catch (error) {
    removeDirectory()
    throw error
  }
  let printed = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text))
  }
  const output = () => printed + (recipe.errorLog ? readIfThere(join(directory, recipe.errorLog)) : '')
  const gone = once(child, 'exit')
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await Promise.race([gone, sleep(STOP_TIMEOUT, undefined, { ref: false })])
      killGroup(child)
      await gone
    }
    removeDirectory()
  }

  try {
    const deadline = performance.now() + READY_TIMEOUT
    while ((await readyToken(`${origin}${READY_PATH}`)) !== token) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${recipe.name} ended: ${output()}`)
      if (performance.now() > deadline) {
        throw new Error(`${recipe.name} was not ready in ${READY_TIMEOUT} ms: ${output()}`)
      }
      await sleep(15)
    }
  } catch (error) {
    await stop()
    throw error
  }
  return {
    origin,
    port,
    pid: child.pid!,
    directory,
    output,
    signal: (name) => void child.kill(name),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Children to end, and directories to remove, when the test process ends without having stopped them. */
const running = new Map<ChildProcess, () => void>()

/** Spawns a child that leads a process group of its own and does not survive this process, however that one ends. */
function spawnBound(command: string, args: string[], cleanUp: () => void): ChildProcess {
  // A parent that is killed outright runs no handler; on Linux the kernel then tells the child.
  const setpriv = process.platform === 'linux' ? findCommand('setpriv') : undefined
  const [program, ...rest] = setpriv ? [setpriv, '--pdeathsig', 'TERM', command, ...args] : [command, ...args]
  const child = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  if (running.size === 0) process.once('exit', endAll)
  running.set(child, cleanUp)
  child.once('exit', () => {
    running.delete(child)
    if (running.size === 0) process.off('exit', endAll)
  })
  return child
}

function endAll(): void {
  for (const [child, cleanUp] of running) {
    killGroup(child)
    cleanUp()
  }
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, 'SIGKILL')
  } catch {
    // Nobody of the group is left: what was wanted.
  }
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

/** A port of the loopback interface that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** What a server answers at its ready path, or undefined while nobody does. */
function readyToken(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const get = url.startsWith('https:') ? https.get : http.get
    const request = get(url, { agent: false, rejectUnauthorized: false, timeout: 1000 }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('end', () => resolve(body.trim()))
      response.on('error', () => resolve(undefined))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(undefined))
  })
}
