/**
 * Remembers the addresses that were found dead lately: a few, and not for long, because they may live again at any time
 * and nobody tells.
 */
import { isIP, SocketAddress } from 'node:net'

/** How long a death is remembered, in milliseconds: a few dials go elsewhere, then the address gets another chance. */
export const DEATH_REMEMBERED = 30_000
/** Addresses that are remembered; beyond it the oldest death is forgotten. */
const MOST_DEAD = 1000

export class DeadAddresses {
  /** When each was last found dead, the oldest first. */
  readonly #deaths = new Map<string, number>()

  /** Whether nobody need be asked about. */
  get isEmpty(): boolean {
    return this.#deaths.size === 0
  }

  add(address: string, now: number): void {
    const canonical = canonicalAddress(address)
    this.#deaths.delete(canonical)
    this.#deaths.set(canonical, now)
    if (this.#deaths.size > MOST_DEAD) this.#forget(this.#deaths.keys().next().value as string)
  }

  /** It was found alive. */
  delete(address: string): void {
    if (!this.isEmpty) this.#forget(canonicalAddress(address))
  }

  has(address: string, now: number): boolean {
    if (this.isEmpty) return false
    const canonical = canonicalAddress(address)
    const diedAt = this.#deaths.get(canonical)
    if (diedAt === undefined) return false
    if (now - diedAt < DEATH_REMEMBERED) return true
    this.#forget(canonical)
    return false
  }

  #forget(canonical: string): void {
    this.#deaths.delete(canonical)
  }
}

/** As the kernel writes it, and so as sockets show it: an IPv6 address may be written in many ways. */
export function canonicalAddress(address: string): string {
  // With a zone (fe80::1%eth0) it is another address, and SocketAddress drops the zone.
  if (isIP(address) !== 6 || address.includes('%')) return address
  return new SocketAddress({ address, family: 'ipv6' }).address
}
