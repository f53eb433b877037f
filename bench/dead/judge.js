// What the lanes of a trial amount to: for each contestant and scene one verdict. Pure functions.

import { PROMISED } from './triple.js'

/** Between the code of an error and that of its cause. */
export const CAUSED_BY = ' < '

/**
 * @typedef {object} Verdict
 * @property {string} contestant
 * @property {string} scene
 * @property {number} lanes
 * @property {number} answered lanes whose request was answered
 * @property {number} ended lanes whose request failed, or whose idle connection was closed
 * @property {{ first: number, last: number } | undefined} after milliseconds from the cut until it was known, one way or the
 *   other; only if that is so in all lanes
 * @property {string[]} codes what callers were told, each once: codes of an error and its causes, with CAUSED_BY between
 *   them; '' for a socket that was closed without an error
 * @property {{ failed: number, took: { first: number, last: number } }} next the requests after mending
 */

/** @param {object[]} lanes as `runTrial` gives them  @returns {Verdict[]} in the order of their first lanes */
export function judge(lanes) {
  return groupsOf(lanes).map((group) => {
    const [{ contestant, scene }] = group
    const ended = group.filter(({ answered }) => answered === false)
    const known = group.filter(({ after }) => after !== undefined)
    return {
      contestant,
      scene,
      lanes: group.length,
      answered: group.filter(({ answered }) => answered).length,
      ended: ended.length,
      after: known.length === group.length ? rangeOf(known.map(({ after }) => after)) : undefined,
      codes: [...new Set(ended.map(({ code = '' }) => code))],
      next: {
        failed: group.filter(({ next }) => next.code !== undefined).length,
        took: rangeOf(group.map(({ next }) => next.took)),
      },
    }
  })
}

/**
 * What is wrong with a verdict on keepwise, in words; undefined if nothing is.
 *
 * @param {Verdict} verdict  @param {{ kind: 'dead' | 'mended' | 'living' }} scene
 */
export function complaint({ contestant, scene, lanes, answered, ended, after, codes, next }, { kind }) {
  const wrong = (what) => `${contestant}, ${scene}: ${what}`
  if (next.failed > 0) return wrong(`${next.failed} of ${lanes} next requests failed`)
  if (kind !== 'dead') return answered === lanes ? undefined : wrong(`only ${answered} of ${lanes} were answered`)
  if (ended < lanes) return wrong(`only ${ended} of ${lanes} are known to be dead`)
  if (codes.includes('')) return wrong('closed without a word of why')
  return after.last > PROMISED ? wrong(`known after ${Math.round(after.last)} ms`) : undefined
}

const keyOf = ({ contestant, scene }) => `${contestant} ${scene}`

function groupsOf(lanes) {
  const groups = new Map()
  for (const lane of lanes) groups.set(keyOf(lane), [...(groups.get(keyOf(lane)) ?? []), lane])
  return [...groups.values()]
}

const rangeOf = (values) => ({ first: Math.min(...values), last: Math.max(...values) })
