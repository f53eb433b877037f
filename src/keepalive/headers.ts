/**
 * The two response headers that concern a connection, found among raw headers: undici's, which are bytes, or node:http's.
 */

/** Name and value in turn, as they came. */
export type RawHeaders = readonly (Uint8Array | string)[]

/** What a response said of its connection. */
export interface ConnectionHeaders {
  /** Values of `Keep-Alive`, joined; undefined for none. */
  keepAlive: string | undefined
  /** `Connection: keep-alive` and `Connection: close`. */
  persists: boolean
  close: boolean
}

const found: ConnectionHeaders = { keepAlive: undefined, persists: false, close: false }

/**
 * Both names have ten characters, so that all others are passed over by their length. The result is valid until the next
 * call.
 */
export function connectionHeaders(raw: RawHeaders): ConnectionHeaders {
  found.keepAlive = undefined
  found.persists = found.close = false
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as Uint8Array | string
    if (name.length !== 10) continue
    if (says(name, 'connection')) readConnection(raw[index + 1])
    else if (says(name, 'keep-alive')) {
      const value = text(raw[index + 1])
      found.keepAlive = found.keepAlive === undefined ? value : `${found.keepAlive}, ${value}`
    }
  }
  return found
}

function readConnection(value: unknown): void {
  // What nearly every response says, without a string for it.
  if (value === 'keep-alive' || (value instanceof Uint8Array && says(value, 'keep-alive'))) {
    found.persists = true
    return
  }
  for (const token of text(value).toLowerCase().split(',')) {
    found.persists ||= token.trim() === 'keep-alive'
    found.close ||= token.trim() === 'close'
  }
}

/** Whether a name or a value is this word of letters and hyphens, in any case. */
function says(value: Uint8Array | string, word: string): boolean {
  if (typeof value === 'string') return value.toLowerCase() === word
  if (value.length !== word.length) return false
  for (let index = 0; index < word.length; index++)
    if (((value[index] as number) | 0x20) !== word.charCodeAt(index)) return false
  return true
}

/** A value in undici's raw headers may be several lines. */
function text(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(text).join(', ')
  return value instanceof Uint8Array ? (value as Buffer).toString('latin1') : ''
}
