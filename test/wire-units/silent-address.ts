/**
 * A port of a loopback address on which nobody answers: its server was stopped, and its queue of connections is full, so
 * the kernel drops every further one. Until it is woken up.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'

const SERVER = `
  const server = require('node:net').createServer((socket) => {
    socket.on('error', () => {}).once('data', () => {
      socket.end('HTTP/1.1 200 OK\\r\\ncontent-length: 5\\r\\nconnection: close\\r\\n\\r\\nawake')
    })
  })
  server.listen({ host: process.argv[1], port: 0, backlog: 1 }, () => console.log(server.address().port))
  setTimeout(() => process.exit(), 30_000)
`

/** A connection that takes longer than this to open was dropped: on loopback it takes no millisecond. */
const DROPPED_AFTER = 150
/** Connections that fill the queue; Linux takes one or two more than it was told. */
const MOST_FILLERS = 8

/** How often it is looked at before it must answer. */
const MOST_LOOKS = 30

export interface SilentAddress {
  readonly host: string
  readonly port: number
  /** From now on it answers; resolves when it does. */
  wake(): Promise<void>
}

export async function silentAddress(host: string): Promise<SilentAddress> {
  const child = spawn(process.execPath, ['--eval', SERVER, host], { stdio: ['ignore', 'pipe', 'inherit'] })
  const fillers: Socket[] = []
  onTestFinished(async () => {
    for (const filler of fillers) filler.destroy()
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(line)
  child.kill('SIGSTOP')
  while (await isAnswered(host, port, fillers))
    if (fillers.length >= MOST_FILLERS) throw new Error(`${host}:${port} still answers after ${fillers.length}`)
  const wake = async (): Promise<void> => {
    child.kill('SIGCONT')
    for (let looks = 0; !(await isServed(host, port)); looks++)
      if (looks >= MOST_LOOKS) throw new Error(`${host}:${port} does not answer after it was woken up`)
  }
  return { host, port, wake }
}

/** Whether a request is answered: then the queue of connections is empty, where an open one may be the last that fits in. */
async function isServed(host: string, port: number): Promise<boolean> {
  const socket = connect(port, host).on('error', () => {})
  socket.write('GET / HTTP/1.1\r\n\r\n')
  const hasAnswer = once(socket, 'data').then(
    () => true,
    () => false,
  )
  const answered = await Promise.race([hasAnswer, sleep(DROPPED_AFTER, false)])
  socket.destroy()
  return answered
}

async function isAnswered(host: string, port: number, fillers: Socket[]): Promise<boolean> {
  const socket = connect(port, host).on('error', () => {})
  fillers.push(socket)
  const waited = new AbortController()
  const answered = await Promise.race([
    once(socket, 'connect', { signal: waited.signal }).then(
      () => true,
      () => false,
    ),
    new Promise<boolean>((resolve) => setTimeout(resolve, DROPPED_AFTER, false)),
  ])
  waited.abort()
  if (!answered) socket.destroy()
  return answered
}
