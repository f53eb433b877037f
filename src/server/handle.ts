/** What is read from the handle beneath a socket, anew for every call: it is gone as soon as the socket is destroyed. */
import type { Server, Socket } from 'node:net'

interface Handle {
  readonly fd?: number
  readonly bytesWritten?: number
  /** Of TLS: the TCP connection below. */
  readonly _parent?: Handle
}

const handleOf = (owner: Socket | Server): Handle | null | undefined => (owner as { _handle?: Handle | null })._handle

/** The descriptor; -1 for none. The system uses descriptors again. */
export function descriptorOf(socket: Socket | Server): number {
  return handleOf(socket)?.fd ?? -1
}

/** Bytes given to TCP in the connection's life; 0 where nothing counts them. */
export function wireBytesWritten(socket: Socket): number {
  const handle = handleOf(socket)
  return (handle?._parent ?? handle)?.bytesWritten ?? 0
}
