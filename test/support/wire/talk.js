/**
 * The child's end of a conversation over stdio: `{ id, call, args }` comes in a line, `{ id, result }` or
 * `{ id, error }` goes out in a line. The other end is `talker.js`.
 */
import { createInterface } from 'node:readline'

/**
 * Answers calls by the functions of `calls` until the parent is gone, and then ends the process.
 * @param {Record<string, (...args: any[]) => unknown>} calls
 */
export function answer(calls) {
  const lines = createInterface({ input: process.stdin })
  lines.on('line', async (line) => {
    const { id, call, args } = JSON.parse(line)
    try {
      if (!Object.hasOwn(calls, call)) throw new Error(`No call "${call}". There are: ${Object.keys(calls).join(', ')}`)
      say({ id, result: await calls[call](...args) })
    } catch (error) {
      say({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  lines.on('close', () => process.exit(0))
  say({ ready: true })
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}
