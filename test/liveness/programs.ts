/** Runs programs that use keepwise, as it was built, on some Node version, and under another command where need be. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { requireCommand } from '../support/commands.js'
import { type NodeMajor, nodeBinary } from '../support/nodes.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TIMEOUT = 20_000

/** Runs a module to its end; resolves with what it has printed, parsed as JSON. Rejects when it fails or does not end. */
export async function runProgram<Printed>(
  major: NodeMajor,
  source: string,
  { under = [], setting = {} }: { under?: readonly string[]; setting?: object } = {},
): Promise<Printed> {
  const [command = '', ...rest] = [...under, nodeBinary(major), '--input-type=module', '--eval', source]
  const path = command.includes('/') ? command : requireCommand(command)
  const { stdout, stderr } = await promisify(execFile)(path, rest, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, SETTING: JSON.stringify(setting) },
    timeout: TIMEOUT,
    killSignal: 'SIGKILL',
  })
  if (stdout === '') throw new Error(`The program printed nothing. ${stderr}`)
  return JSON.parse(stdout) as Printed
}
