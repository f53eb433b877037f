/** What the tests of the watch endpoint share. */
import http, { type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import type { TimelineRecord } from '../../src/timeline/record.js'
import { type Watch, type WatchOptions, type WatchState, watch } from '../../src/watch.js'

/** An endpoint that is closed when the test is over. */
export async function testWatch(options?: WatchOptions): Promise<Watch> {
  const opened = await watch(options)
  onTestFinished(() => opened.close())
  return opened
}

export interface Answered {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

/** Asks for something by node:http, whose `Host` can be chosen. */
export async function ask(url: string | URL, options: http.RequestOptions = {}): Promise<Answered> {
  const response = await respond(url, options)
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) }
}

export function respond(url: string | URL, options: http.RequestOptions = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    http
      .request(url, { agent: false, ...options }, resolve)
      .on('error', reject)
      .end()
  })
}

export async function stateOf(url: string, query = ''): Promise<WatchState> {
  return JSON.parse((await ask(new URL(`state${query}`, url))).body)
}

/** One who reads the stream of events: all that comes, until the test is over. */
export class Reader {
  readonly records: TimelineRecord[] = []
  readonly numbers: number[] = []
  /** As it came. */
  text = ''
  ended = false
  /** What has come of the next message. */
  #rest = ''

  private constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8').on('data', (chunk: string) => this.#read(chunk))
    response.on('error', () => {})
    response.on('close', () => (this.ended = true))
    onTestFinished(() => void response.destroy())
  }

  static async open(url: string): Promise<Reader> {
    return new Reader(await respond(new URL('events', url)))
  }

  get events(): string[] {
    return this.records.map(({ event }) => event)
  }

  #read(chunk: string): void {
    this.text += chunk
    const messages = (this.#rest + chunk).split('\n\n')
    this.#rest = messages.pop() as string
    for (const message of messages) {
      const [, number, data] = /^id: (\d+)\ndata: (.*)$/.exec(message) ?? []
      if (data === undefined) continue
      this.numbers.push(Number(number))
      this.records.push(JSON.parse(data))
    }
  }
}
