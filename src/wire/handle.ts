/** What is read from the handle beneath a socket, anew for every call: it is gone as soon as the socket is destroyed. */
import type { Server, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { WireCount } from './witness.js'

type Handle = Partial<WireCount> & { readonly fd?: number; readonly _parent?: Partial<WireCount> }

const handleOf = (owner: Socket | Server): Handle | null | undefined => (owner as { _handle?: Handle | null })._handle

/** The descriptor; -1 for none. The system uses descriptors again. */
export function descriptorOf(owner: Socket | Server): number {
  return handleOf(owner)?.fd ?? -1
}

/** What counts the bytes of a socket, those that are encrypted if it is one of TLS; undefined when it is closed. */
export function wireOf(socket: Socket): WireCount | undefined {
  const handle = handleOf(socket)
  const wire = socket instanceof TLSSocket ? handle?._parent : handle
  return typeof wire?.bytesWritten === 'number' ? (wire as WireCount) : undefined
}
