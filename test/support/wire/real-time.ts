/** For tests that are about milliseconds: what else the machine does comes second, where the machine allows to say so. */
import { spawnSync } from 'node:child_process'

const REAL_TIME = ['chrt', '--rr', '1']

/** To be put in front of a command; empty where that is forbidden. */
export const realTime: string[] =
  spawnSync('chrt', [...REAL_TIME.slice(1), 'true'], { timeout: 5000 }).status === 0 ? REAL_TIME : []
