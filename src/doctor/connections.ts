/**
 * Opens the doctor's connections, all to one address, within its limits; closes all of them when it is interrupted.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TcpInfoReader } from '../liveness/tcp-info.js'
import { MeasuredConnection } from './connection.js'
import { MOST_OPEN, MOST_OPENED } from './limits.js'
import type { Address, DoctorTarget } from './target.js'

/** A connection could not be opened. */
export class UnreachableError extends Error {
  constructor(
    readonly code: string,
    message: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause })
  }
}

export class Connections {
  readonly #target: DoctorTarget
  readonly #timeout: number
  readonly #insecure: boolean
  readonly #tcpInfo: TcpInfoReader | undefined
  readonly #open = new Set<Socket>()
  #opened = 0
  #mostOpen = 0
  #closed = false

  constructor(
    target: DoctorTarget,
    { timeout, insecure }: { timeout: number; insecure: boolean },
    tcpInfo: TcpInfoReader | undefined,
  ) {
    this.#tcpInfo = tcpInfo
    this.#target = target
    this.#timeout = timeout
    this.#insecure = insecure
  }

  /** Connections opened so far, and the most that were open at once. */
  get count(): { readonly opened: number; readonly mostOpen: number } {
    return { opened: this.#opened, mostOpen: this.#mostOpen }
  }

  /**
   * @throws UnreachableError when it fails, or takes longer than the timeout
   * @throws RangeError beyond the limits
   */
  open({ address, family }: Address): Promise<MeasuredConnection> {
    const { secure, port, servername } = this.#target
    if (this.#closed) return Promise.reject(new UnreachableError('ABORTED', 'interrupted'))
    if (this.#openNow >= MOST_OPEN || this.#opened >= MOST_OPENED)
      return Promise.reject(new RangeError(`more than ${MOST_OPEN} connections at once, or ${MOST_OPENED} in all`))
    const startedAt = performance.now()
    const where = { host: address, port, family }
    const socket: Socket = secure
      ? connectTls({
          ...where,
          ...(servername !== null && { servername }),
          ALPNProtocols: ['http/1.1'],
          rejectUnauthorized: !this.#insecure,
        })
      : connectTcp(where)
    this.#register(socket)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        socket.destroy()
        fail('ETIMEDOUT', `no connection within ${this.#timeout} ms`)
      }, this.#timeout)
      const fail = (code: string, message: string, cause?: unknown): void => {
        clearTimeout(timer)
        reject(new UnreachableError(code, `${this.#target.origin} (${address}): ${message}`, cause))
      }
      const failed = (error: NodeJS.ErrnoException): void => fail(error.code ?? 'ERROR', error.message, error)
      const closed = (): void => fail('ECONNRESET', 'closed before it was open')
      socket.once('error', failed)
      socket.once('close', closed)
      let connect = 0
      socket.once('connect', () => {
        connect = performance.now() - startedAt
        socket.setNoDelay(true)
      })
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer)
        socket.off('error', failed)
        socket.off('close', closed)
        const tls = secure ? performance.now() - startedAt - connect : undefined
        resolve(new MeasuredConnection(socket, { connect, tls }, this.#tcpInfo))
      })
    })
  }

  /** Closes all there are, and opens no more. */
  closeAll(): void {
    this.#closed = true
    for (const socket of this.#open) socket.destroy()
  }

  /** One that was closed just now has not said so yet. */
  get #openNow(): number {
    return [...this.#open].filter(({ destroyed }) => !destroyed).length
  }

  #register(socket: Socket): void {
    this.#open.add(socket)
    this.#opened++
    this.#mostOpen = Math.max(this.#mostOpen, this.#openNow)
    // From here on it is never without a listener for errors.
    socket.on('error', () => this.#open.delete(socket))
    socket.once('close', () => this.#open.delete(socket))
  }
}
