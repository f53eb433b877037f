/** What the tests of names on real sockets share: a resolver of their own, servers on chosen addresses, and who was tried. */
import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { type LookupFunction, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import { testCertificates } from '../support/tls.js'

/** A lookup that gives all names these addresses. */
export function resolving(...addresses: string[]): LookupFunction {
  const all: LookupAddress[] = addresses.map((address) => ({ address, family: 4 }))
  return (_, options, callback) => {
    setImmediate(() => {
      if (options.all) callback(null, all)
      else callback(null, all[0]!.address, 4)
    })
  }
}

export interface Place {
  readonly host: string
  readonly port: number
}

/** A server that answers with the address it was reached at, and with TLS with the name it was asked for. */
export async function serverAt({ host, port }: Place, tls = false): Promise<void> {
  const answer: http.RequestListener = ({ socket }, response) => {
    const { servername } = socket as TLSSocket
    response.end(tls ? `${socket.localAddress} as ${servername}` : socket.localAddress)
  }
  const server = tls ? https.createServer(testCertificates().localhost, answer) : http.createServer(answer)
  server.listen(port, host)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
}

/** The addresses that this process tried to connect to from now on until the test is over, in order. */
export function triedAddresses(): string[] {
  const tried: string[] = []
  const { connect } = Socket.prototype
  Socket.prototype.connect = function (this: Socket, ...options: unknown[]) {
    this.on('connectionAttempt', (address: string) => void tried.push(address))
    return (connect as (...options: unknown[]) => Socket).apply(this, options)
  }
  onTestFinished(() => {
    Socket.prototype.connect = connect
  })
  return tried
}
