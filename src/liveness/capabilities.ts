/**
 * What this machine lets a pool do; `pool.capabilities`.
 */
import type { NativeResult } from './native.js'
import { nodeSetsTriple } from './settings.js'

/** What this machine lets a pool do. It never changes. */
export interface Capabilities {
  /** The kernel is asked about a connection (TCP_INFO) before it is reused. */
  readonly tcpInfo: boolean
  /** How Ti, Td and Nm get on a socket: all three by Node or natively, or Ti alone. */
  readonly tcpKeepAlive: 'node' | 'native' | 'idle-only'
  /**
   * When a dead peer is found, at the latest Ti + Td x Nm after it was last heard: `always`, since the kernel can be asked
   * about connections that wait or send; or `while-silent`, by the kernel's keepalive alone, which rests while data waits
   * to be acknowledged.
   */
  readonly deadPeers: 'always' | 'while-silent'
  /** Requests that went through an agent can be sent again: this Node's own requests are built as expected. */
  readonly requestReplay: boolean
  /** Version of koffi in use. */
  readonly koffi: string | undefined
  /** Why there is no native access, if there is none. */
  readonly why: string | undefined
}

export function capabilitiesOf({ native, why }: NativeResult, requestReplay: boolean): Capabilities {
  return Object.freeze({
    tcpInfo: native !== undefined,
    tcpKeepAlive: nodeSetsTriple ? 'node' : native !== undefined ? 'native' : 'idle-only',
    deadPeers: native !== undefined ? 'always' : 'while-silent',
    requestReplay,
    koffi: native?.version,
    why,
  })
}
