/**
 * Reads responses from bytes, one at a time: where the head ends, and where the body does (RFC 9112 6.3).
 *
 * Not node:http's reading: that closes a connection by itself, for example after a response to HEAD without a length, and
 * what is wanted here is to see who closes it. Bodies are counted, not kept.
 */
import { connectionHeaders } from '../keepalive/headers.js'

export interface ResponseHead {
  readonly status: number
  readonly version: '1.0' | '1.1'
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[]
}

export interface Response extends ResponseHead {
  readonly bodyBytes: number
  /** The connection may be used again, as far as version and headers say. */
  readonly persists: boolean
}

/** A response that cannot be read, or not be read to its end. */
export class ResponseError extends Error {}

const LARGEST_HEAD = 64 * 1024
/** Longest line of a chunk's size, extensions included. */
const LONGEST_LINE = 4096

type Body =
  | { readonly kind: 'none' }
  | { readonly kind: 'until-close' }
  | { readonly kind: 'length'; left: number }
  | { readonly kind: 'chunked'; left: number; part: 'size' | 'data' | 'data-end' | 'trailers' }

export class ResponseReader {
  readonly #method: string
  readonly #largestBody: number
  #unread: Buffer = Buffer.alloc(0)
  #head: ResponseHead | undefined
  #body: Body = { kind: 'none' }
  #bodyBytes = 0

  /** @param largestBody bytes; a longer body is a `ResponseError` */
  constructor(method: string, largestBody: number) {
    this.#method = method
    this.#largestBody = largestBody
  }

  /** The head of the response, once it is there. */
  get head(): ResponseHead | undefined {
    return this.#head
  }

  /**
   * Takes bytes as they come.
   *
   * @returns the response, when it is complete
   * @throws ResponseError
   */
  push(bytes: Buffer): Response | undefined {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes])
    while (this.#head === undefined) {
      const head = this.#takeHead()
      if (head === undefined) return undefined
      // 100 Continue and 103 Early Hints come before the response.
      if (head.status >= 200 || head.status === 101) {
        this.#head = head
        this.#body = bodyOf(head, this.#method)
      }
    }
    return this.#readBody() ? this.#complete() : undefined
  }

  /** The peer has sent its FIN: the response, if that is how it ends. */
  end(): Response | undefined {
    return this.#head !== undefined && this.#body.kind === 'until-close' ? this.#complete() : undefined
  }

  #takeHead(): ResponseHead | undefined {
    const end = /\r?\n\r?\n/.exec(this.#unread.toString('latin1', 0, LARGEST_HEAD))
    if (end === null) {
      const start = this.#unread.toString('latin1', 0, 5)
      if (!'HTTP/'.startsWith(start)) throw new ResponseError(`not HTTP/1: it begins with ${JSON.stringify(start)}`)
      if (this.#unread.length >= LARGEST_HEAD) throw new ResponseError(`headers of more than ${LARGEST_HEAD} bytes`)
      return undefined
    }
    const text = this.#unread.toString('latin1', 0, end.index)
    this.#unread = this.#unread.subarray(end.index + end[0].length)
    return headOf(text)
  }

  /** Whether the body is complete. */
  #readBody(): boolean {
    const body = this.#body
    switch (body.kind) {
      case 'none':
        return true
      case 'until-close':
        this.#count(this.#unread.length)
        return false
      case 'length':
        body.left -= this.#count(Math.min(body.left, this.#unread.length))
        return body.left === 0
      case 'chunked':
        return this.#readChunks(body)
    }
  }

  #readChunks(body: Body & { kind: 'chunked' }): boolean {
    for (;;) {
      if (body.part === 'data') {
        body.left -= this.#count(Math.min(body.left, this.#unread.length))
        if (body.left > 0) return false
        body.part = 'data-end'
      }
      const line = this.#takeLine()
      if (line === undefined) return false
      if (body.part === 'data-end') body.part = 'size'
      else if (body.part === 'trailers') {
        if (line === '') return true
      } else {
        const size = /^\s*([\da-f]{1,8})\s*(?:;|$)/i.exec(line)?.[1]
        if (size === undefined) throw new ResponseError(`no size of a chunk: ${JSON.stringify(line.slice(0, 20))}`)
        body.left = Number.parseInt(size, 16)
        body.part = body.left === 0 ? 'trailers' : 'data'
      }
    }
  }

  #takeLine(): string | undefined {
    const end = this.#unread.indexOf('\n')
    if (end < 0) {
      if (this.#unread.length > LONGEST_LINE) throw new ResponseError('a chunk without an end of line')
      return undefined
    }
    const line = this.#unread.toString('latin1', 0, end)
    this.#unread = this.#unread.subarray(end + 1)
    return line.endsWith('\r') ? line.slice(0, -1) : line
  }

  /** Takes bytes of the body. */
  #count(bytes: number): number {
    this.#unread = this.#unread.subarray(bytes)
    this.#bodyBytes += bytes
    if (this.#bodyBytes > this.#largestBody)
      throw new ResponseError(`a body of more than ${this.#largestBody} bytes: choose another path, or --method HEAD`)
    return bytes
  }

  #complete(): Response {
    const head = this.#head as ResponseHead
    const { persists, close } = connectionHeaders(head.rawHeaders)
    const framed = this.#body.kind !== 'until-close' && head.status !== 101
    return {
      ...head,
      bodyBytes: this.#bodyBytes,
      persists: framed && !close && (head.version === '1.1' || persists),
    }
  }
}

function headOf(text: string): ResponseHead {
  const [first = '', ...lines] = text.split(/\r?\n/)
  const [, version, status] = /^HTTP\/(1\.[01]) (\d{3})(?: |$)/.exec(first) ?? []
  if (version === undefined) throw new ResponseError(`not HTTP/1: it begins with ${JSON.stringify(first.slice(0, 20))}`)
  const rawHeaders = lines.flatMap((line) => {
    const colon = line.indexOf(':')
    return colon <= 0 ? [] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
  })
  return { status: Number(status), version: version as '1.0' | '1.1', rawHeaders }
}

function bodyOf({ status, rawHeaders }: ResponseHead, method: string): Body {
  if (method === 'HEAD' || status === 204 || status === 304) return { kind: 'none' }
  const coding = headerOf(rawHeaders, 'transfer-encoding')
  if (coding !== undefined)
    return /(?:^|,)\s*chunked\s*$/i.test(coding) ? { kind: 'chunked', left: 0, part: 'size' } : { kind: 'until-close' }
  const length = headerOf(rawHeaders, 'content-length')
  if (length === undefined) return { kind: 'until-close' }
  if (!/^\d{1,15}$/.test(length)) throw new ResponseError(`a length that is none: ${JSON.stringify(length)}`)
  return { kind: 'length', left: Number(length) }
}

/** The values of a header, joined; undefined for none. */
export function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  const values = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
  return values.length === 0 ? undefined : values.join(', ')
}
