/**
 * A tap on a socket: node:http as the HTTP engine of one connection. node:http puts its own parser and listeners on the
 * socket for each request; the tap stands between the two and shows an exchange what passes: what is written, the first
 * bytes of the response, and the socket's last words. Those it keeps back until the exchange lets them pass, or not at
 * all when they do not concern the request any more. While the connection is idle the tap watches the socket itself.
 *
 * It overrides a few methods of that one socket, and takes them off again when it is detached.
 */
import type { Socket } from 'node:net'
import type { Connection } from '../pool/connection.js'
import type { Engine } from '../pool/engine.js'
import type { SocketLink } from '../wire/socket-link.js'
import type { Piece, WriteCallback } from './node-request.js'

export type LastWord = 'end' | 'error' | 'close'

/** Whoever has the socket: told in the order in which things happen. */
export interface TapUser {
  /** node is about to write. Returns the callback to write it with, or `NOT_NOW`. */
  writes(
    data: Piece['data'],
    encoding: Piece['encoding'],
    callback: Piece['callback'],
  ): Piece['callback'] | typeof NOT_NOW
  /** The first bytes of an answer are here. They, and what follows, are kept back if it returns false. */
  answers(bytes: Uint8Array): boolean
  /** The socket is about to be destroyed, by whomever. Its last words come later. */
  destroying(): void
  /** The socket says one of its last words, which is kept back until `pass`. */
  dies(word: LastWord, error: Error | undefined): void
  /** node is done with the socket, and leaves it whole. */
  freed(): void
  /** The socket was handed to the caller, by an upgrade or CONNECT. */
  removed(): void
}

/** What is written is to stay here for now. */
export const NOT_NOW = Symbol('not now')

const TAP = Symbol('keepwise tap')

type TappedSocket = Socket & { [TAP]: Tap }

export class Tap implements Engine {
  readonly socket: Socket
  #user: TapUser | undefined = undefined
  #answered = false
  /** Kept back, with their arguments. */
  #kept: unknown[][] = []
  #keeping = false
  /** Its user has set TCP keepalive, which would hold for all who come after. */
  #tuned = false

  constructor(private readonly connection: Connection) {
    this.socket = (connection.link as SocketLink).socket
  }

  attach(): void {
    const socket = this.socket as TappedSocket
    socket[TAP] = this
    Object.assign(socket, overrides)
  }

  detach(): void {
    const socket = this.socket as Partial<TappedSocket>
    for (const name of Object.keys(overrides)) delete socket[name as keyof typeof overrides]
    delete socket[TAP]
  }

  /** Somebody has the socket from now on. */
  serve(user: TapUser): void {
    this.#user = user
    this.#answered = false
    this.socket.ref?.()
  }

  /** Another engine had it until now: undici lets go of a socket a turn after its response. */
  serveOn(): void {
    setImmediate(() => setImmediate(() => this.#user !== undefined && this.socket.ref?.()))
  }

  /** Its user has done with it: it is as it was when it was opened. Whoever gets it next may have it at once. */
  leave(): void {
    this.#user = undefined
    if (!this.#tuned) return
    ;(this.connection.link as SocketLink).askAsUsual()
    this.#tuned = false
  }

  /**
   * Nobody has it: the tap watches it, and it does not keep the process alive.
   *
   * @param timeout milliseconds after which it says 'timeout', and is closed; 0 for never
   */
  rest(timeout: number): void {
    const { socket } = this
    if (this.#user !== undefined || this.connection.engine !== this) return
    socket.unref?.()
    if (socket.timeout !== undefined && socket.timeout !== timeout) socket.setTimeout(timeout)
  }

  /** Lets everybody hear what was kept back, and what follows. Returns whether the socket's close was among it. */
  pass(): boolean {
    const kept = this.#kept
    this.#kept = []
    this.#keeping = false
    const isAfterData = kept.some(([event]) => event === 'data')
    for (const args of kept)
      if (args[0] !== 'close') emitPlain(this.socket, args)
      else if (!isAfterData) {
        emitPlain(this.socket, args)
        return true
      }
      // What was read is to come to its end first.
      else setImmediate(() => this.socket.emit(...(args as ['close', boolean])))
    return false
  }

  /** What was kept back is for nobody, but what follows is. */
  swallow(): void {
    this.#kept = []
    this.#keeping = false
  }

  /** The request has left: what was kept back is for nobody, but that the socket is closed. */
  drop(): void {
    this.#user = undefined
    this.#keeping = false
    const closed = this.#kept.find(([event]) => event === 'close')
    this.#kept = []
    if (closed !== undefined) emitPlain(this.socket, closed)
  }

  /** The answer has begun, and is for its user: nearly everything that a socket says. */
  get isHeard(): boolean {
    return this.#answered && !this.#keeping && this.#user !== undefined
  }

  /** Whether an event is to be emitted now. */
  admits(args: unknown[]): boolean {
    const [event] = args
    switch (event) {
      case 'data':
        return this.#user === undefined ? this.#isStray() : this.#mayHear(args)
      case 'end':
      case 'error':
      case 'close':
        if (this.#user !== undefined) {
          this.#kept.push(args)
          this.#keeping = true
          this.#user.dies(event, args[1] instanceof Error ? args[1] : undefined)
          return false
        }
        this.#endsIdle(event)
        return true
      case 'timeout':
        // Closed before anybody hears of it, as node does.
        if (this.#user === undefined) {
          this.socket.setTimeout(0)
          this.connection.origin.close(this.connection, 'idle-timeout')
        }
        return true
      default:
        return true
    }
  }

  /** An event has just been emitted. */
  emitted(event: unknown): void {
    if (event === 'free') this.#user?.freed()
    else if (event === 'agentRemove') this.#remove()
  }

  writes(...piece: Parameters<TapUser['writes']>): ReturnType<TapUser['writes']> {
    return this.#user === undefined ? piece[2] : this.#user.writes(...piece)
  }

  destroying(): void {
    if (!this.socket.destroyed) this.#user?.destroying()
  }

  /** Whether its user may set TCP keepalive: where the pool was told to leave it off. */
  mayTune(): boolean {
    this.#tuned = this.connection.link.liveness.source === 'off'
    return this.#tuned
  }

  #mayHear(args: unknown[]): boolean {
    if (!this.#answered) {
      this.#answered = true
      this.#keeping = this.#user?.answers(args[1] as Uint8Array) === false
    }
    if (this.#keeping) this.#kept.push(args)
    return !this.#keeping
  }

  /** Nobody has asked for these bytes: the next response could be mistaken for them. */
  #isStray(): false {
    if (!this.socket.destroyed) this.socket.destroy(new Error('bytes arrived on an idle connection'))
    return false
  }

  #endsIdle(word: LastWord): void {
    // The server has closed its end while nothing was going on: so does this end, at once.
    if (word === 'end') this.socket.destroy()
    // The pool's own clock was a moment faster than the socket's.
    if (word === 'close' && this.socket.timeout && this.connection.closeReason?.endsWith('-timeout'))
      emitPlain(this.socket, ['timeout'])
  }

  #remove(): void {
    const user = this.#user
    this.#user = undefined
    this.detach()
    this.connection.origin.detach(this.connection)
    user?.removed()
  }
}

/** As the socket would without a tap. */
function emitPlain(socket: Socket, args: unknown[]): boolean {
  return plain(socket).emit.apply(socket, args as Parameters<Socket['emit']>)
}

const plain = (socket: Socket): Socket => Object.getPrototypeOf(socket) as Socket

const overrides = {
  emit(this: TappedSocket, ...args: unknown[]): boolean {
    const tap = this[TAP]
    if (args[0] === 'data' && tap.isHeard) return emitPlain(this, args)
    if (!tap.admits(args)) return true
    const heard = emitPlain(this, args)
    tap.emitted(args[0])
    return heard
  },

  write(
    this: TappedSocket,
    data: Piece['data'],
    encoding?: BufferEncoding | WriteCallback | null,
    callback?: WriteCallback | null,
  ): boolean {
    const done = typeof encoding === 'function' ? encoding : callback
    const how = typeof encoding === 'function' ? undefined : encoding
    const allowed = this[TAP].writes(data, how, done)
    if (allowed === NOT_NOW) return true
    return plain(this).write.call(this, data as string, how as BufferEncoding, allowed as WriteCallback)
  },

  destroy(this: TappedSocket, ...args: Parameters<Socket['destroy']>): Socket {
    this[TAP].destroying()
    return plain(this).destroy.apply(this, args) as Socket
  },

  /** TCP keepalive is the pool's: clients that set it for every request (axios, the AWS SDK) would undo Ti, Td and Nm. */
  setKeepAlive(this: TappedSocket, ...args: Parameters<Socket['setKeepAlive']>): Socket {
    return this[TAP].mayTune() ? plain(this).setKeepAlive.apply(this, args) : this
  },
}
