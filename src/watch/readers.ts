/**
 * Those who are told each record as it is made: responses that go on (server-sent events). Records of one turn of the event
 * loop are written together. One that does not keep up is cut off; it comes again, and catches up.
 */
import type { ServerResponse } from 'node:http'
import type { TimelineRecord } from '../timeline/record.js'

/** Readers at a time. */
export const MAX_READERS = 16

/** Bytes that may wait for one reader. */
export const MAX_BEHIND = 4_000_000

/** Characters that are written together at most, be the turn as long as it is. */
const PIECE = 100_000

export class Readers {
  readonly #responses = new Set<ServerResponse>()
  /** What is to be written at the end of this turn. */
  #text = ''

  /**
   * @param response its head has not been written
   * @param onlyHead and that is all that was asked for
   */
  add(response: ServerResponse, onlyHead: boolean): void {
    if (this.#responses.size >= MAX_READERS) {
      response.writeHead(503, { 'content-type': 'text/plain; charset=utf-8' }).end('Too many look at it already.\n')
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if (onlyHead) {
      response.end()
      return
    }
    this.#flush()
    this.#responses.add(response)
    response.on('close', () => this.#responses.delete(response)).on('error', () => {})
    response.write('retry: 1000\n\n')
  }

  tell(number: number, record: TimelineRecord): void {
    if (this.#responses.size === 0) return
    if (this.#text === '') setImmediate(() => this.#flush())
    this.#text += `id: ${number}\ndata: ${JSON.stringify(record)}\n\n`
    if (this.#text.length > PIECE) this.#flush()
  }

  #flush(): void {
    const text = this.#text
    this.#text = ''
    if (text === '') return
    for (const response of this.#responses) {
      response.write(text)
      if (response.writableLength <= MAX_BEHIND) continue
      this.#responses.delete(response)
      response.destroy()
    }
  }
}
