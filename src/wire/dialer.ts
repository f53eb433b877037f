/**
 * Opens sockets with undici's connector: happy eyeballs, TLS with session reuse, Unix sockets, a time limit for all of
 * it. Addresses that were found dead lately are tried last. What comes out is a tuned link.
 */
import type { LookupFunction, Socket } from 'node:net'
import { buildConnector } from 'undici'
import type { ResolvedConnect } from '../options/connect.js'
import type { Addresses } from './addresses.js'
import { DialWatch } from './dial-watch.js'
import type { Dialer } from './link.js'
import { type LinkTools, SocketLink } from './socket-link.js'

/** undici's connector returns the socket it has begun to connect; its types do not say so. */
type Connector = (options: buildConnector.Options, callback: buildConnector.Callback) => Socket

/** @param addresses what the pool knows of them: shared by all that open its connections */
export function socketDialer({ timeout, rest }: ResolvedConnect, tools: LinkTools, addresses: Addresses): Dialer {
  const connect = buildConnector({
    ...rest,
    lookup: addresses.lookup((rest.lookup ?? undefined) as LookupFunction | undefined),
    timeout,
    allowH2: false,
    keepAlive: false, // the link sets it, with all three values
  }) as unknown as Connector
  return (target, done) => {
    const { protocol, hostname, port, servername } = target
    const socket = connect(
      {
        protocol,
        host: servername ?? hostname,
        hostname: hostname.startsWith('[') ? hostname.slice(1, -1) : hostname,
        port,
        ...(servername === null ? {} : { servername }),
        ...localAddressOf(rest),
      },
      (error, socket) => {
        watch.end(error)
        if (error !== null) done(error)
        else done(null, new SocketLink(socket, tools))
      },
    )
    const watch = new DialWatch(socket, addresses)
    return { cancel: (error) => void socket.destroy(error) }
  }
}

/** The connector takes it per connection, and would put undefined over an option of that name. */
function localAddressOf({ localAddress }: ResolvedConnect['rest']): { localAddress?: string } {
  return typeof localAddress === 'string' ? { localAddress } : {}
}
