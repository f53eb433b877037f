/**
 * One operation that takes time, as it is told to a tracing channel: to get a connection, to open one. Made only where
 * somebody follows the channel.
 *
 * It keeps to the order of `TracingChannel.traceCallback`, so that tracers can bind their contexts to it, with one difference:
 * what ends at once is told before anybody acts on it.
 */
import type { TracingChannel } from 'node:diagnostics_channel'

export class Trace<Message extends { error?: Error }> {
  #isLater = false
  #isOver = false

  constructor(
    private readonly channel: TracingChannel<unknown, Message>,
    private readonly message: Message,
  ) {}

  /** Begins the operation, in the context that subscribers have bound. */
  run<Result>(begin: () => Result): Result {
    const { channel, message } = this
    return channel.start.runStores(message, () => {
      const result = begin()
      if (!this.#isOver) this.#goOn()
      return result
    })
  }

  /** It was given up: whatever it was, it did not end at once. */
  giveUp(): void {
    if (!this.#isLater) this.#goOn()
    this.end({}, () => {})
  }

  /**
   * It has ended.
   *
   * @param outcome what the message is to have from now on
   * @param tell tells the one who waits for it
   */
  end(outcome: Partial<Message>, tell: () => void): void {
    const { channel, message } = this
    this.#isOver = true
    Object.assign(message, outcome)
    if (outcome.error !== undefined) channel.error.publish(message)
    if (this.#isLater)
      channel.asyncStart.runStores(message, () => {
        try {
          tell()
        } finally {
          channel.asyncEnd.publish(message)
        }
      })
    else {
      channel.end.publish(message)
      tell()
    }
  }

  /** It does not end at once. */
  #goOn(): void {
    this.#isLater = true
    this.channel.end.publish(this.message)
  }
}
