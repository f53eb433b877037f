/**
 * Picks what is lent: an idle connection, after a look at it. Whoever is dead, or about to be closed by the server, is not
 * given to anybody: the kernel is asked, and where it cannot be, the event loop gets two turns to show what is already here.
 */
import type { Clock } from '../clock.js'
import { mustAsk, mustAskAgain, owesAnswer } from '../keepalive/reuse.js'
import type { CloseReason } from '../reasons.js'
import type { Connection } from './connection.js'
import { reasonNotToLend } from './examine.js'
import type { Keeper } from './keeper.js'
import type { Stock } from './stock.js'

export interface PickerOwner {
  /** @param reason why a connection that nobody has any more cannot be lent again; undefined if it can */
  takeBack(connection: Connection, reason: CloseReason | undefined, now: number): void
  /** Nobody has it, and its peer owes an answer. */
  setAside(connection: Connection, now: number): void
}

export class Picker {
  constructor(
    private readonly owner: PickerOwner,
    private readonly clock: Clock,
    private readonly stock: Stock,
    private readonly keeper: Keeper,
  ) {}

  /**
   * The next idle connection that is fit for use; those that are not are expelled on the way. One about which nobody can be
   * asked settles first, and comes by itself.
   */
  take(now: number): Connection | undefined {
    for (;;) {
      const connection = this.stock.shift()
      if (connection === undefined) return undefined
      const { link } = connection
      if (!link.destroyed && !mustAsk(connection, now)) return connection
      const kernel = link.inspect()
      const reason = reasonNotToLend(connection, kernel, now)
      if (reason !== undefined) {
        this.keeper.expel(connection, reason, now)
        continue
      }
      if (owesAnswer(kernel)) {
        this.owner.setAside(connection, now)
        continue
      }
      if (kernel !== undefined) return connection
      this.settle(connection)
      return undefined
    }
  }

  /** Nobody to ask: two turns of the event loop show a FIN that is already here. */
  settle(connection: Connection): void {
    this.stock.settle(connection)
    this.clock.afterTwoTurns(() => {
      if (connection.state !== 'settling') return
      const now = this.clock.now()
      const reason = reasonNotToLend(connection, undefined, now)
      connection.trustedAt = now
      this.owner.takeBack(connection, reason, now)
    })
  }

  /**
   * Whether a connection that was lent is still fit after a turn of the event loop; one that is not is expelled, or to be given
   * back if its peer only owes an answer.
   *
   * @param insist whether one about which nobody can be asked is not fit, should it have to be looked at once more
   */
  confirm(connection: Connection, insist: boolean, now: number): boolean {
    if (!mustAskAgain(connection, now)) return true
    const kernel = connection.link.inspect()
    const reason = reasonNotToLend(connection, kernel, now)
    if (reason !== undefined) this.keeper.expel(connection, reason, now)
    return reason === undefined && !owesAnswer(kernel) && (kernel !== undefined || !insist)
  }
}
