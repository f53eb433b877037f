/** A server on bare sockets that does with idle connections what real ones do only now and then. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** Times in milliseconds, of idleness after a response. */
export interface Habits {
  /** Header lines of each response. @default none */
  readonly headers?: readonly string[]
  /** @default '1.1' */
  readonly version?: '1.0' | '1.1'
  /** Closes then. */
  readonly closesAfter?: number
  /** What it says before it closes. */
  readonly goodbye?: string
  /** Answers nothing any more, and does not close. */
  readonly ignoresAfter?: number
  /** Answers a request by a reset then. */
  readonly resetsAfter?: number
  /** Closes after so many responses without having said so. */
  readonly takes?: number
  /** Closes after each response. */
  readonly closes?: boolean
  /** Answers HEAD by this. @default the same as to GET, without the body */
  readonly headStatus?: number
  /** Of a response to GET. @default 'ok', with a length */
  readonly body?: string
  /** @default 200 */
  readonly status?: number
  /** Takes so long to answer. */
  readonly thinks?: number
}

export interface PeculiarServer {
  readonly origin: string
  /** Accepted so far, and the most that were open at once. */
  readonly accepted: () => number
  readonly mostOpen: () => number
  readonly open: () => number
  close(): Promise<void>
}

const CONTENT = 'content-length: 2\r\n\r\nok'

export async function startPeculiar(habits: Habits, host = '127.0.0.1'): Promise<PeculiarServer> {
  const sockets = new Set<Socket>()
  let accepted = 0
  let mostOpen = 0
  const server = createServer((socket) => {
    accepted++
    sockets.add(socket)
    mostOpen = Math.max(mostOpen, sockets.size)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    serve(socket, habits)
  })
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    accepted: () => accepted,
    mostOpen: () => mostOpen,
    open: () => sockets.size,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function serve(socket: Socket, habits: Habits): void {
  const { closesAfter, goodbye = '', ignoresAfter = Infinity, resetsAfter = Infinity, thinks = 0 } = habits
  let idleSince = performance.now()
  let served = 0
  let unread = ''
  let timer: NodeJS.Timeout | undefined
  socket.on('data', (data) => {
    const idle = served === 0 ? 0 : performance.now() - idleSince
    if (idle > ignoresAfter) return
    if (idle > resetsAfter) return void socket.resetAndDestroy()
    unread += data.toString('latin1')
    if (!unread.includes('\r\n\r\n')) return
    const method = unread.slice(0, unread.indexOf(' '))
    unread = ''
    clearTimeout(timer)
    setTimeout(() => {
      served++
      socket.write(responseTo(method, habits))
      idleSince = performance.now()
      if (habits.closes || served === habits.takes) socket.end()
      else if (closesAfter !== undefined) timer = setTimeout(() => socket.end(goodbye), closesAfter)
    }, thinks)
  })
  socket.on('close', () => clearTimeout(timer))
}

function responseTo(method: string, { headers = [], version = '1.1', headStatus, body, status = 200 }: Habits): string {
  const lines = headers.map((line) => `${line}\r\n`).join('')
  if (method === 'HEAD')
    return `HTTP/${version} ${headStatus ?? status} X\r\n${lines}${headStatus === undefined ? 'content-length: 2\r\n' : 'content-length: 0\r\n'}\r\n`
  return `HTTP/${version} ${status} X\r\n${lines}${body ?? CONTENT}`
}
