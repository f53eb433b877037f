/** Runs a program with this Node, in a process of its own, and collects what it says. */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

export interface Ran {
  /** Exit code; null if it had to be killed. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Milliseconds from start to end. */
  readonly elapsed: number
}

/** A program that runs for longer is killed. */
const LONGEST_RUN = 30_000

export async function runNode(file: string, { cwd }: { cwd?: string } = {}): Promise<Ran> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [file], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LONGEST_RUN,
    // Those of the test runner are not the program's; colours would be in the way of comparing.
    env: { PATH: process.env.PATH, NO_COLOR: '1' },
  })
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { code, stdout, stderr, elapsed: performance.now() - startedAt }
}
