/** Finds the programs that tests start. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where Debian puts daemons; not in the PATH of an ordinary user. */
const DAEMON_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** The absolute path of a command, or undefined. */
export function findCommand(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...DAEMON_DIRECTORIES]
  return directories.map((directory) => join(directory, name)).find(isExecutable)
}

/** The absolute path of a command that the test cannot do without. */
export function requireCommand(name: string): string {
  const path = findCommand(name)
  if (path === undefined) throw new Error(`${name} is not installed; guard the test with describeWith or itWith`)
  return path
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
