/**
 * What keepwise knows of the inside of node:http's ClientRequest: how a request is taken off the socket that died under
 * it, with what was written of it, and made ready for another socket. The one file that touches what Node does not
 * document; `knowsNode` says whether this Node is built as expected, and nothing here is used where it is not.
 *
 * Read in lib/_http_client.js and lib/_http_outgoing.js of Node 20, 22, 24 and 26, and run there.
 */
import { ClientRequest, OutgoingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** A piece of a request, as OutgoingMessage keeps it until there is a socket. */
export interface Piece {
  data: string | Uint8Array
  encoding: BufferEncoding | null | undefined
  callback: WriteCallback | null | undefined
}

export type WriteCallback = (error?: Error | null) => void

interface Parser {
  close?(): void
}

export type Listener = (...args: unknown[]) => void

/** The fields of a ClientRequest that are used here. */
export interface NodeRequest extends ClientRequest {
  outputData: Piece[]
  outputSize: number
  parser: Parser | null
  timeoutCb: unknown
  timeout?: number
  res: (import('node:http').IncomingMessage & { complete: boolean; upgrade: boolean | null }) | null
  _header: string | null
  shouldKeepAlive: boolean
  onSocket(socket: Duplex | null, error?: Error): void
  _finish(): void
}

/** A socket that node:http uses. */
export interface NodeSocket extends Duplex {
  _httpMessage?: NodeRequest | null
  parser?: Parser | null
}

/** The listeners that node:http puts on the socket of a request, by the names of their functions. */
const listenersOfNode: Readonly<Record<string, readonly string[]>> = {
  data: ['socketOnData'],
  end: ['socketOnEnd'],
  error: ['socketErrorListener'],
  close: ['socketCloseListener'],
  drain: ['ondrain'],
  timeout: ['emitRequestTimeout', 'responseOnTimeout'],
}

/** Of these, those that every request has. */
const essential = ['data', 'end', 'error', 'close'] as const

/** Whether requests of this Node can be moved to another socket, as far as it shows before there is one. */
export function knowsNode(
  request: object = ClientRequest.prototype,
  message: object = OutgoingMessage.prototype,
): boolean {
  const { onSocket } = request as Partial<NodeRequest>
  const { _flush, _flushOutput, _writeRaw } = message as Record<string, unknown>
  if ([onSocket, _flush, _flushOutput, _writeRaw].some((method) => typeof method !== 'function')) return false
  const { outputData, outputSize } = new OutgoingMessage() as unknown as NodeRequest
  return Array.isArray(outputData) && outputSize === 0
}

/** Whether this request stands on this socket as expected, so that it can be taken off. */
export function canBeTakenOff(request: NodeRequest, socket: NodeSocket): boolean {
  return (
    socket._httpMessage === request &&
    request.socket === (socket as unknown) &&
    typeof socket.parser === 'object' &&
    request.parser === socket.parser &&
    essential.every((event) => ofNode(socket, event).length === 1)
  )
}

/**
 * Lets the request go on collecting what is written while its socket is gone: a request drops what is written to it while
 * it has a socket that is destroyed.
 */
export function unplug(request: NodeRequest): void {
  // It has said 'prefinish', and would say so again when it is flushed to another socket.
  if (request.finished && request.socket !== null) request._finish = () => {}
  ;(request as { socket: unknown }).socket = null
}

/** Gives the request its dead socket back, so that Node can tell its caller of the death. */
export function plugIn(request: NodeRequest, socket: NodeSocket): void {
  ;(request as { socket: unknown }).socket = socket
}

/** The socket has served the request: it keeps nothing of it alive while it idles, and is in nobody's context. */
export function release(request: NodeRequest, socket: NodeSocket): void {
  if (socket._httpMessage === request) socket._httpMessage = null
  if (asyncIdSymbol !== undefined) (socket as WithAsyncId)[asyncIdSymbol] = -1
}

interface TunnelError extends Error {
  readonly code?: string
  readonly proxyTunnelTimeout?: number
}

/**
 * Fails a request that has no socket; one that was destroyed fails with what it was destroyed with.
 *
 * @param timedOut whether 'timeout' was emitted already
 */
export function failWithoutSocket(request: NodeRequest, error: TunnelError | undefined, timedOut: boolean): void {
  if (error?.code === 'ERR_PROXY_TUNNEL' && !request.destroyed) {
    // node's request leaves it to the agent to tell of these.
    if (error.proxyTunnelTimeout && !timedOut) request.emit('timeout')
    request.emit('error', error)
  }
  request.onSocket(null, error)
}

/**
 * Takes the request off the socket: the one hears nothing of the other any more.
 *
 * @param written what was written of it, to be written again before what it has collected since
 */
export function takeOff(request: NodeRequest, socket: NodeSocket, written: readonly Piece[]): void {
  for (const event of Object.keys(listenersOfNode))
    for (const listener of ofNode(socket, event)) socket.removeListener(event, listener)
  // What freeParser does when its pool is full; nothing is being parsed now.
  const { parser } = socket
  socket.parser = socket._httpMessage = null
  request.parser = null
  parser?.close?.()
  unplug(request)
  request.outputData = [...written, ...request.outputData]
  request.outputSize = request.outputData.reduce((size, { data }) => size + data.length, 0)
}

/** How node tells the request that its socket has been silent for too long, where it does. */
export function timeoutListener(request: NodeRequest, socket: NodeSocket): Listener | undefined {
  return request.socket === (socket as unknown) && request.timeoutCb ? (request.timeoutCb as Listener) : undefined
}

/**
 * Has the request told of its socket's timeouts once, or not at all: node would have it told once for each time that it has
 * listened to a socket.
 */
export function tellTimeout(request: NodeRequest, socket: NodeSocket, listener: Listener | undefined): void {
  if (request.socket !== (socket as unknown)) return
  for (const each of ofNode(socket, 'timeout')) socket.removeListener('timeout', each)
  if (listener !== undefined) socket.once('timeout', listener)
}

/** What async_hooks shows as the resource of a socket that serves another request. */
class ReusedHandle {
  constructor(
    readonly type: number,
    readonly handle: unknown,
  ) {}
}

interface Handle {
  asyncReset?(resource: object): void
  getProviderType?(): number
  getAsyncId?(): number
}

type WithAsyncId = Duplex & Record<symbol, number | undefined>

let asyncIdSymbol: symbol | undefined

/** What happens on the socket from now on happens in the present asynchronous context, as on a socket of its own. */
export function enterContext(socket: Duplex): void {
  const handle = (socket as { _handle?: Handle | null })._handle
  if (typeof handle?.asyncReset !== 'function') return
  handle.asyncReset(new ReusedHandle(handle.getProviderType?.() ?? 0, handle))
  asyncIdSymbol ??= Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'async_id_symbol')
  if (asyncIdSymbol !== undefined) (socket as WithAsyncId)[asyncIdSymbol] = handle.getAsyncId?.()
}

function ofNode(socket: NodeSocket, event: string): Listener[] {
  const names = listenersOfNode[event] as readonly string[]
  return (socket.listeners(event) as Listener[]).filter((listener) => names.includes(listener.name))
}
