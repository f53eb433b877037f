/**
 * A log of records: each as JSON on a line of its own (ndjson), written to a stream of the caller's. It never waits for the
 * stream, and what waits for it is bounded: a pool is not to be held up, nor memory filled, by those who look at it.
 */
import type { Writable } from 'node:stream'
import { OptionError } from '../errors.js'
import { show } from '../options/checks.js'
import type { TimelineRecord } from '../timeline/record.js'
import { Recorder } from '../timeline/recorder.js'
import { type RecordOptions, resolveRecord } from './options.js'

/**
 * Writes what happens to the connections of all pools of this process to a stream, until the returned function is called: a
 * log for `keepwise timeline`. The stream stays the caller's: it is not ended. If it fails, recording ends with a process
 * warning.
 *
 * @returns ends it; resolves when everything is written
 * @throws OptionError for an unknown option, a value it cannot take, and for what is no stream
 */
export function record(stream: Writable, options?: RecordOptions): () => Promise<void> {
  const { maxBehind } = resolveRecord(options)
  if (typeof stream?.write !== 'function' || typeof stream.on !== 'function')
    throw new OptionError('stream', `record() takes a stream that can be written to; it is ${show(stream)}.`)
  const log = new Log(stream, maxBehind)
  log.start()
  return () => log.stop()
}

class Log {
  readonly #stream: Writable
  readonly #maxBehind: number
  readonly #recorder = new Recorder((entry) => this.#add(entry))
  /** Characters that the stream has not taken yet. */
  #behind = 0
  /** Those dropped since the last record that was written. */
  #dropped: DroppedRecord | undefined
  #stopped: Promise<void> | undefined
  #whenWritten = (): void => {}

  constructor(stream: Writable, maxBehind: number) {
    this.#stream = stream
    this.#maxBehind = maxBehind
  }

  start(): void {
    this.#stream.on('error', this.#failed)
    this.#recorder.start()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#finish()
    return this.#stopped
  }

  async #finish(): Promise<void> {
    this.#recorder.stop()
    if (this.#stream.writable) this.#tellDropped()
    if (this.#behind > 0 && !this.#stream.destroyed)
      await new Promise<void>((resolve) => {
        this.#whenWritten = resolve
        this.#stream.once('close', resolve)
      })
    this.#stream.off('error', this.#failed)
  }

  #add(entry: TimelineRecord): void {
    if (!this.#stream.writable) this.#recorder.stop()
    else if (this.#behind > this.#maxBehind) this.#drop(entry)
    else {
      this.#tellDropped()
      this.#write(entry)
    }
  }

  #drop({ time, pool }: TimelineRecord): void {
    const count = (this.#dropped?.count ?? 0) + 1
    this.#dropped = { time, pool, event: 'dropped', count }
  }

  #tellDropped(): void {
    if (this.#dropped !== undefined) this.#write(this.#dropped)
    this.#dropped = undefined
  }

  #write(entry: TimelineRecord | DroppedRecord): void {
    const line = `${JSON.stringify(entry)}\n`
    this.#behind += line.length
    // Called for a line that could not be written, too.
    this.#stream.write(line, () => {
      this.#behind -= line.length
      if (this.#behind === 0) this.#whenWritten()
    })
  }

  readonly #failed = (error: Error): void => {
    this.#recorder.stop()
    process.emitWarning(`Recording has ended, its stream has failed: ${error.message}`, {
      type: 'KeepwiseWarning',
      code: 'KEEPWISE_RECORDER',
    })
  }
}

/** Stands in a log where so many records are missing; time and pool are those of the last of them. */
export interface DroppedRecord extends Pick<TimelineRecord, 'time' | 'pool'> {
  /** Tells it from a record. */
  readonly event: 'dropped'
  /** How many are missing. */
  readonly count: number
}
