/**
 * Keeps an eye on the names of the origins that have connections: they are looked up again from time to time, and where one
 * has no longer an address, connections to it are drained. Between dials nobody would notice else: a busy pool may not dial
 * for hours.
 */
import { type Agenda, AgendaItem } from '../agenda.js'
import type { Clock } from '../clock.js'

/** An origin, as far as it is a name and has connections. */
export interface NamedOrigin {
  readonly target: { readonly hostname: string }
  readonly connections: { readonly size: number }
  /** Connections to an address close when they are free. */
  drain(address: string): void
}

/** What is known of names and addresses below. */
export interface AddressBook {
  /** Told that a name no longer has an address. */
  whenGone: ((hostname: string, address: string) => void) | undefined
  /** An address did not answer. */
  died(address: string | undefined): void
  /** Looks a name up again, to see which addresses it has. Nothing happens for one that was never looked up. */
  refresh(hostname: string): void
}

/** How often names are looked up again, in milliseconds. */
const REFRESH = 60_000

export class Names extends AgendaItem {
  constructor(
    private readonly book: AddressBook,
    private readonly tools: { readonly agenda: Agenda; readonly clock: Clock },
    private readonly origins: () => Iterable<NamedOrigin>,
  ) {
    super()
    book.whenGone = (name, address) => this.#gone(name, address)
  }

  /** A connection was opened. */
  begin(): void {
    if (this.place < 0) this.tools.agenda.schedule(this, this.tools.clock.now() + REFRESH)
  }

  wake(now: number): number {
    const names = new Set<string>()
    for (const { target, connections } of this.origins()) if (connections.size > 0) names.add(target.hostname)
    for (const name of names) this.book.refresh(name)
    return names.size === 0 ? Infinity : now + REFRESH
  }

  #gone(name: string, address: string): void {
    for (const origin of this.origins()) if (origin.target.hostname.toLowerCase() === name) origin.drain(address)
  }
}
