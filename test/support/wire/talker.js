/** The parent's end of a conversation with a child over stdio, one JSON line a message. The other end is `talk.js`. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** How long a child may take to end once its stdin has, before it is killed. */
const PATIENCE = 3000

export class Talker {
  /** What it has written to stderr. */
  stderr = ''
  /**
   * Resolves when it has ended.
   * @type {Promise<{ code: number | null, signal: NodeJS.Signals | null }>}
   */
  exited
  #child
  #nextId = 1
  /** @type {Map<number, { resolve(value: any): void, reject(error: Error): void }>} */
  #pending = new Map()
  #ready

  /**
   * Starts a program and waits until it says that it is ready.
   * @param {string} command
   * @param {string[]} args
   * @param {import('node:child_process').SpawnOptions} [options]
   */
  static async start(command, args, options) {
    const talker = new Talker(spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] }))
    await talker.#ready
    return talker
  }

  /** @param {import('node:child_process').ChildProcess} child */
  constructor(child) {
    this.#child = child
    this.#ready = new Promise((resolve, reject) => this.#pending.set(0, { resolve, reject }))
    child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text))
    // A write to a child that has just ended: its exit says it all.
    child.stdin.on('error', () => {})
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line))
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.stderr += error.message
        resolve({ code: null, signal: null })
      })
      child.once('close', (code, signal) => resolve({ code, signal }))
    })
    this.exited.then(({ code, signal }) => {
      const error = new Error(`The process has ended (${signal ?? `code ${code}`}). ${this.stderr}`)
      for (const { reject } of this.#pending.values()) reject(error)
      this.#pending.clear()
      this.#pending = undefined
    })
  }

  get pid() {
    return this.#child.pid
  }

  /** Calls a function of the child. Rejects with the child's error, or when the child ends before it has answered. */
  call(name, ...args) {
    if (this.#pending === undefined) return Promise.reject(new Error(`The process has ended. ${this.stderr}`))
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
      this.#child.stdin.write(`${JSON.stringify({ id, call: name, args })}\n`)
    })
  }

  /** Lets it end by itself, and kills it if it does not. */
  async stop(patience = PATIENCE) {
    this.#child.stdin.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), patience)
    const ending = await this.exited
    clearTimeout(timer)
    return ending
  }

  /** Ends it with a signal, at once. */
  kill(signal = 'SIGKILL') {
    this.#child.kill(signal)
    return this.exited
  }

  #hear(line) {
    let message
    try {
      message = JSON.parse(line)
    } catch {
      // Something else that the program printed.
      this.stderr += `${line}\n`
      return
    }
    const { id = 0, result, error } = message
    const pending = this.#pending?.get(id)
    this.#pending?.delete(id)
    if (error === undefined) pending?.resolve(result)
    else pending?.reject(new Error(error))
  }
}
