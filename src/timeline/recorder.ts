/**
 * Makes records of what the channels tell, from `start` to `stop`: of all pools of the process, whichever copy of this package
 * they come from. What fails in here never reaches the process: Node makes an uncaught exception of what a subscriber throws.
 */
import { type Channel, channel } from 'node:diagnostics_channel'
import { type AcquireMessage, type ChannelMessage, channelNames, type DialMessage, tracing } from '../channels.js'
import type { PoolEvent } from '../events.js'
import type { PoolIdentity } from '../registry.js'
import type { RecordedError, RecordedEvent, RecordFields, TimelineRecord } from './record.js'

/** Epoch milliseconds, with fractions, that never run backwards. */
export const wallTime = (): number => performance.timeOrigin + performance.now()

interface Subscription {
  readonly begin: () => void
  readonly end: () => void
}

export class Recorder {
  readonly #take: (record: TimelineRecord) => void
  readonly #now: () => number
  readonly #subscriptions: readonly Subscription[]
  /** Requests that ask for a connection just now, one within the other. */
  readonly #asking: AcquireMessage[] = []
  /** Those that stood in line, be it for no time at all. */
  readonly #stoodInLine = new WeakSet<AcquireMessage>()
  #isOn = false
  #hasFailed = false

  /**
   * @param take is given each record, in order; what it throws becomes one process warning
   * @param now epoch milliseconds
   */
  constructor(take: (record: TimelineRecord) => void, now: () => number = wallTime) {
    this.#take = take
    this.#now = now
    const { acquire, dial } = tracing
    this.#subscriptions = [
      this.#event('open', ({ connection, dial: number, dialTime }) => ({ connection, dial: number, dialTime })),
      this.#event('idle', ({ connection }) => ({ connection })),
      this.#event('close', ({ connection, reason, error }) =>
        error === undefined ? { connection, reason } : { connection, reason, error: recordedError(error) },
      ),
      this.#event('suspect', ({ connection, evidence }) => ({ connection, evidence })),
      this.#event('dead', ({ connection, evidence }) => ({ connection, evidence })),
      this.#event('replay', ({ origin, method, verdict, evidence, attempt }) => ({
        ...{ origin, method, verdict, evidence, attempt },
      })),
      this.#event('learn', ({ origin, address, timeout, samples }) => ({ origin, address, timeout, samples })),
      this.#event('wait', ({ origin, waiting }) => {
        const asks = this.#asking.at(-1)
        if (asks !== undefined) this.#stoodInLine.add(asks)
        return { origin, waiting }
      }),
      this.#to<DialMessage>(dial.start, ({ pool, origin, dial: number }) =>
        this.#write('dial', pool, { origin, dial: number }),
      ),
      this.#to<DialMessage>(dial.error, ({ pool, origin, dial: number, error }) =>
        this.#write('dial-failed', pool, { origin, dial: number, error: recordedError(error) }),
      ),
      this.#to<AcquireMessage>(acquire.start, (message) => void this.#asking.push(message)),
      this.#to<AcquireMessage>(acquire.end, (message) => this.#asked(message)),
      this.#to<AcquireMessage>(acquire.asyncStart, (message) => this.#granted(message, true)),
      this.#to<AcquireMessage>(acquire.asyncEnd, ({ pool, origin, connection, error }) => {
        if (connection === undefined && error === undefined) this.#write('left', pool, { origin })
      }),
      this.#to<AcquireMessage>(acquire.error, ({ pool, origin, error }) =>
        this.#write('refused', pool, { origin, error: recordedError(error) }),
      ),
    ]
  }

  /** Begins; to call it again does nothing. */
  start(): void {
    if (this.#isOn) return
    this.#isOn = true
    for (const { begin } of this.#subscriptions) begin()
  }

  /** Ends; it can be started again. */
  stop(): void {
    if (!this.#isOn) return
    this.#isOn = false
    for (const { end } of this.#subscriptions) end()
    this.#asking.length = 0
  }

  /** It has a connection now, or will have one later, or never. */
  #asked(message: AcquireMessage): void {
    const index = this.#asking.lastIndexOf(message)
    if (index >= 0) this.#asking.length = index
    this.#granted(message, this.#stoodInLine.has(message))
  }

  #granted({ pool, connection, reused = false, waited = 0 }: AcquireMessage, stoodInLine: boolean): void {
    if (connection === undefined) return
    this.#write('active', pool, stoodInLine ? { connection, reused, waited } : { connection, reused })
  }

  #event<Event extends PoolEvent>(
    event: Event,
    fieldsOf: (message: ChannelMessage<Event>) => RecordFields[Event],
  ): Subscription {
    return this.#to<ChannelMessage<Event>>(channel(channelNames[event]), (message) =>
      this.#write(event, message.pool, fieldsOf(message)),
    )
  }

  #to<Message>(source: Channel, listen: (message: Message) => void): Subscription {
    const guarded = (message: unknown): void => {
      try {
        listen(message as Message)
      } catch (error) {
        this.#failed(error)
      }
    }
    return { begin: () => source.subscribe(guarded), end: () => source.unsubscribe(guarded) }
  }

  #write<Event extends RecordedEvent>(event: Event, pool: PoolIdentity, fields: RecordFields[Event]): void {
    this.#take({ time: this.#now(), pool, event, ...fields } as TimelineRecord)
  }

  /** Told once: a fault that comes back with every record would fill the log. */
  #failed(error: unknown): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    const what = error instanceof Error ? error.stack : String(error)
    process.emitWarning(`What happens could not be recorded: ${what}`, {
      type: 'KeepwiseWarning',
      code: 'KEEPWISE_RECORDER',
    })
  }
}

/** What is kept of an error. The ones that net.connect makes of several attempts have a code, and no message. */
export function recordedError(error: unknown): RecordedError {
  if (!(error instanceof Error)) return { message: String(error) }
  const { code } = error as NodeJS.ErrnoException
  const message = error.message || (code === undefined ? error.name : String(code))
  return code === undefined ? { message } : { code: String(code), message }
}
