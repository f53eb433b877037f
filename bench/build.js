// Holds the build of keepwise still: every run starts a new process and loads dist/ anew, so that a build in between
// would put two versions into one table.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

const DIST = new URL('../dist/', import.meta.url)

/** Returns a function that throws once dist/ is no longer what it was at this call. */
export function watchBuild() {
  const before = fingerprint()
  return () => {
    if (fingerprint() !== before)
      throw new Error('dist/ was rebuilt during the run: its results mix two builds, start again')
  }
}

function fingerprint() {
  if (!existsSync(DIST)) return ''
  const hash = createHash('sha256')
  for (const file of readdirSync(DIST).sort()) {
    if (file.endsWith('.js')) hash.update(file).update(readFileSync(new URL(file, DIST)))
  }
  return hash.digest('hex')
}
