/**
 * Access logs of the real servers in one form, and the questions that tests ask of them: which requests shared a
 * connection, in which order, and how long did it idle in between?
 */
import { setTimeout as sleep } from 'node:timers/promises'

/** One request as the server logged it. */
export interface AccessLogEntry {
  /** The connection it came on, unique in one log. */
  connection: string
  clientPort: number
  /** Which request of its connection this was; 1 for the first. */
  nth: number
  method: string
  path: string
  status: number
  /** When the server began to read it, and when its response was sent, in milliseconds since the epoch. */
  startedAt: number
  finishedAt: number
}

/**
 * Reads a log until it has `atLeast` entries. Servers write an entry after they have sent the response, so a
 * test that reads the log at once after its last response would now and then miss it.
 */
export async function readAccessLog<Entry extends AccessLogEntry>(
  read: () => string,
  parse: (lines: string[]) => Entry[],
  atLeast: number,
  timeout = 3000,
): Promise<Entry[]> {
  const deadline = performance.now() + timeout
  for (;;) {
    const entries = parse(completeLines(read()))
    if (entries.length >= atLeast) return entries
    if (performance.now() > deadline) {
      throw new Error(`The access log has ${entries.length} entries after ${timeout} ms, not ${atLeast}`)
    }
    await sleep(20)
  }
}

/** The entries of each connection, in the order of its requests. */
export function byConnection<Entry extends AccessLogEntry>(entries: readonly Entry[]): Entry[][] {
  const groups = new Map<string, Entry[]>()
  for (const entry of entries) {
    const group = groups.get(entry.connection)
    if (group) group.push(entry)
    else groups.set(entry.connection, [entry])
  }
  return [...groups.values()].map((group) => group.sort((a, b) => a.nth - b.nth))
}

/** How long one connection idled before each of its requests but the first, in milliseconds. */
export function idleTimes(connection: readonly AccessLogEntry[]): number[] {
  return connection.slice(1).map((entry, index) => entry.startedAt - connection[index]!.finishedAt)
}

/**
 * A name for each connection of a log that has only ports: a port may come again with a later connection, and a
 * request that is the first of its connection tells that it did.
 */
export function connectionNamer(): (clientPort: number, nth: number) => string {
  const uses = new Map<number, number>()
  return (clientPort, nth) => {
    if (nth === 1) uses.set(clientPort, (uses.get(clientPort) ?? 0) + 1)
    return `${clientPort}#${uses.get(clientPort) ?? 0}`
  }
}

/** Lines that the server has finished writing: a half-written last one is left for the next look. */
function completeLines(text: string): string[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
}
