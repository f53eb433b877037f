/**
 * A link over a real socket (net or TLS): tuned when it is made, asked through its descriptor, watched for its end.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Native } from '../liveness/native.js'
import type { LivenessPlan } from '../liveness/presets.js'
import { type AppliedLiveness, applyLiveness } from '../liveness/settings.js'
import type { KernelView, TcpInfoReader } from '../liveness/tcp-info.js'
import type { Link, LinkEnding, LinkOwner } from './link.js'

/** How links of one pool are tuned and asked. */
export interface LinkTools {
  readonly plan: LivenessPlan
  readonly native: Native | undefined
  readonly tcpInfo: TcpInfoReader | undefined
}

/** Leads from a socket to its link, so that all sockets can share one listener: an idle connection is to be small. */
const LINK = Symbol('keepwise link')

type LinkedSocket = Socket & { [LINK]: SocketLink }

export class SocketLink implements Link {
  readonly localPort: number | undefined
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly liveness: AppliedLiveness
  owner: LinkOwner | undefined = undefined
  readonly #tcpInfo: TcpInfoReader | undefined

  constructor(
    readonly socket: Socket,
    { plan, native, tcpInfo }: LinkTools,
  ) {
    this.localPort = socket.localPort
    this.remoteAddress = socket.remoteAddress
    this.remotePort = socket.remotePort
    this.liveness = applyLiveness(socket, descriptorOf(socket), plan, native)
    this.#tcpInfo = tcpInfo
    forgetAddresses(socket)
    ;(socket as LinkedSocket)[LINK] = this
    // Its errors have a listener for good: undici's connector leaves one behind.
    socket.on('close', reportClose)
  }

  get destroyed(): boolean {
    return this.socket.destroyed
  }

  get ending(): LinkEnding {
    return { error: this.socket.errored ?? undefined, fin: this.socket.readableEnded }
  }

  park(): void {
    this.socket.on('readable', drainParked).unref()
  }

  unpark(): void {
    this.socket.off('readable', drainParked).ref()
  }

  inspect(): KernelView | undefined {
    const { socket } = this
    const isTls = socket instanceof TLSSocket
    // What TLS has decrypted says nothing of what was read from the wire.
    const view = this.#tcpInfo?.read(descriptorOf(socket), isTls ? undefined : socket.bytesRead)
    // Unread bytes may be TLS's own: session tickets, an alert. They have to be decrypted to tell.
    return isTls && view?.established && view.unread > 0 ? undefined : view
  }

  letGo(): void {
    this.owner = undefined
    this.socket.off('close', reportClose)
  }

  destroy(error?: Error): void {
    this.owner = undefined
    this.socket.destroy(error)
  }
}

/** Read anew for every call: descriptors are reused by the system. -1 for none. */
function descriptorOf(socket: Socket): number {
  const { _handle } = socket as Socket & { _handle?: { fd?: number } | null }
  return _handle?.fd ?? -1
}

function reportClose(this: Socket): void {
  const link = (this as LinkedSocket)[LINK]
  link.owner?.linkEnded(link.ending)
}

/** Node keeps both addresses in objects once they were read, and would make them anew; a link has what is needed of them. */
function forgetAddresses(socket: Socket & { _peername?: unknown; _sockname?: unknown }): void {
  if (socket._peername) socket._peername = undefined
  if (socket._sockname) socket._sockname = undefined
}

/** Reading is what makes a FIN known; a byte read here is one too many. */
function drainParked(this: Socket): void {
  if (this.read() !== null) this.destroy(new Error('bytes arrived on an idle connection'))
}
