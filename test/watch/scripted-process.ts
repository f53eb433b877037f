/**
 * A process to look at that is none: it serves the page, and tells what the test says, when the test says it.
 */
import http, { type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TimelineRecord } from '../../src/timeline/record.js'
import type { WatchState } from '../../src/watch/page/contract.js'
import { pageHtml, pagePolicy } from '../../src/watch/page/html.js'

export class ScriptedProcess {
  /** What is known when a page comes; the numbers of records follow from it. */
  records: TimelineRecord[] = []
  open: TimelineRecord[] = []
  startedAt = 1
  /** Called when the state is asked for in full: what is told then is in the stream and in the state. */
  whenAsked = (): void => {}
  /** Called when the answer stands, and is not sent yet: what is told then is in the stream alone. */
  whenAnswered = (): void => {}
  readonly #streams = new Set<ServerResponse>()
  readonly #server = http.createServer(({ url = '' }, response) => this.#answer(url, response))
  #port = 0

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`
  }

  /** On the port that it had before. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(this.#port, '127.0.0.1', () => {
        this.#port = (this.#server.address() as AddressInfo).port
        resolve()
      })
    })
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  /** Something happens. */
  tell(...records: TimelineRecord[]): void {
    for (const record of records) {
      this.records.push(record)
      const message = `id: ${this.records.length}\ndata: ${JSON.stringify(record)}\n\n`
      for (const stream of this.#streams) stream.write(message)
    }
  }

  #answer(url: string, response: ServerResponse): void {
    const [path, query] = url.split('?') as [string, string?]
    if (path === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('retry: 1000\n\n')
      this.#streams.add(response)
      response.on('close', () => this.#streams.delete(response))
    } else if (path === '/state') {
      if (query === undefined) this.whenAsked()
      const last = this.records.length
      const after = Number(new URLSearchParams(query).get('after') ?? 0)
      const records = this.records.slice(after)
      if (query === undefined) this.whenAnswered()
      const state: WatchState = {
        ...{ time: Date.now(), process: { pid: 42, title: 'scripted', startedAt: this.startedAt }, pools: [] },
        ...{ last, records, open: this.open },
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(state))
    } else {
      const headers = { 'content-type': 'text/html', 'content-security-policy': pagePolicy('bm9uY2U') }
      response.writeHead(200, headers).end(pageHtml('bm9uY2U'))
    }
  }
}
