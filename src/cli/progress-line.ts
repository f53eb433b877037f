/**
 * How far the doctor is, on stderr: one line that changes on a terminal; elsewhere a line for each part, and one every ten
 * seconds; nothing elsewhere if the output is for a program.
 */
import type { WriteStream } from 'node:tty'
import type { Progress } from '../doctor/progress.js'

/** Milliseconds between two lines about the same part, where it is no terminal. */
const LINES_APART = 10_000
const ERASE = '\r\u001b[K'

export interface ProgressLine {
  show(progress: Progress): void
  /** Leaves nothing behind on a terminal. */
  end(): void
}

/** @param stream stderr, or what stands for it; @param quiet only a terminal is written to */
export function progressLine(
  stream: Pick<WriteStream, 'write'> & { isTTY?: boolean; columns?: number },
  quiet: boolean,
  now: () => number = () => performance.now(),
): ProgressLine {
  if (stream.isTTY)
    return {
      // A line that is wrapped could not be erased.
      show: ({ text }) => void stream.write(`${ERASE}${text.slice(0, (stream.columns || 80) - 1)}`),
      end: () => void stream.write(ERASE),
    }
  let last: { stage: string; at: number } | undefined
  return {
    show({ stage, text }) {
      if (quiet || (last?.stage === stage && now() - last.at < LINES_APART)) return
      last = { stage, at: now() }
      stream.write(`${text}\n`)
    },
    end() {},
  }
}
