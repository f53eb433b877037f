/** Counts what holds and what does not, and prints a line for each group and for each failure. */
import { inspect, isDeepStrictEqual } from 'node:util'

export class Checks {
  passed = 0
  failed = 0

  group(name) {
    console.log(`- ${name}`)
  }

  /** `found` is printed when the check does not hold. */
  check(holds, claim, found) {
    if (holds) {
      this.passed++
      return
    }
    this.failed++
    console.log(`  DOES NOT HOLD: ${claim}${found === undefined ? '' : `; found ${inspect(found, { depth: 5 })}`}`)
  }

  equal(found, expected, claim) {
    this.check(isDeepStrictEqual(found, expected), `${claim} (expected ${inspect(expected, { depth: 5 })})`, found)
  }
}
