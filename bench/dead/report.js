// The tables: one text for the terminal and for the page.

import { describe } from './contestants/index.js'
import { CAUSED_BY } from './judge.js'
import { SCENES } from './scenes.js'

/**
 * The tables of a run, each with a title and a sentence; only those of which something was measured.
 *
 * @param {import('./judge.js').Verdict[]} verdicts  @param {{ patience: number }} options
 */
export function sectionsOf(verdicts, { patience }) {
  const [dead, mended, living] = ['dead', 'mended', 'living'].map((kind) =>
    SCENES.filter((scene) => scene.kind === kind && verdicts.some((verdict) => verdict.scene === scene.name)),
  )
  const { mendAfter = 0 } = mended[0] ?? {}
  const healed = `A GET that is sent right after the cut, on a wire that is mended after ${mendAfter / 1000} s.`
  const next = `The next request of all connections above, on a wire that is mended after ${patience} s.`
  const sections = [
    {
      scenes: dead,
      title: 'Seconds until the client knows',
      words:
        'From the cut until the request fails or, of an idle connection, until its socket is closed. In brackets: closed by a ' +
        'timer, without a sign that anything is wrong.',
      table: deathTable(verdicts, dead, patience),
    },
    {
      scenes: dead,
      title: 'What the caller is told',
      words:
        'Codes of the error and of its causes. Of an idle connection there is no caller: what its socket was closed with.',
      table: errorTable(verdicts, dead),
    },
    {
      scenes: [...mended, ...dead],
      title: 'After mending',
      words: [mended.length > 0 ? [healed] : [], dead.length > 0 ? [next] : []].flat().join(' '),
      table: mendedTable(verdicts, mended, dead),
    },
    {
      scenes: living,
      title: 'Peers that live',
      words: 'On a wire that is not cut.',
      table: livingTable(verdicts, living),
    },
  ]
  return sections.filter(({ scenes }) => scenes.length > 0)
}

function deathTable(verdicts, scenes, patience) {
  return tableOf(verdicts, scenes, ({ lanes, ended, after, codes }) => {
    if (ended < lanes || after === undefined) return ended === 0 ? `> ${patience}` : `${ended} of ${lanes}`
    const seconds = secondsOf(after)
    // By a timer of its own, whether the peer lives or not.
    return codes.includes('') ? `(${seconds})` : seconds
  })
}

/** What callers are told; of an idle connection, what its socket was closed with. */
function errorTable(verdicts, scenes) {
  return tableOf(verdicts, scenes, ({ codes }) => wordsOf(codes))
}

function livingTable(verdicts, scenes) {
  return tableOf(verdicts, scenes, outcomeOf)
}

/** When the request was answered whose wire was mended meanwhile; and the next request on the wires of all others. */
function mendedTable(verdicts, mended, dead) {
  const rows = contestantsOf(verdicts).map((contestant) => {
    const of = (scenes) =>
      verdicts.filter((one) => one.contestant === contestant && scenes.some(({ name }) => name === one.scene))
    const [healed] = of(mended)
    const next = of(dead).map((verdict) => verdict.next)
    const failed = next.reduce((sum, one) => sum + one.failed, 0)
    const slowest = Math.max(...next.map(({ took }) => took.last))
    return [
      titleOf(contestant),
      healed === undefined ? '' : outcomeOf(healed),
      next.length === 0 ? '' : failed > 0 ? `${failed} failed` : `answered in ${Math.round(slowest)} ms`,
    ]
  })
  return aligned([['client', 'GET sent at the cut', 'next request, at the most'], ...rows])
}

function outcomeOf({ lanes, answered, ended, after, codes }) {
  if (answered === lanes) return `answered after ${secondsOf(after)} s`
  if (ended === lanes) return `failed after ${secondsOf(after)} s: ${wordsOf(codes)}`
  return ended === 0 ? 'no answer' : `${ended} of ${lanes} failed: ${wordsOf(codes)}`
}

function wordsOf(codes) {
  const chainOf = (code) => code.split(CAUSED_BY).map((one) => `\`${one}\``)
  return codes.map((code) => (code === '' ? 'no error' : chainOf(code).join(', cause '))).join('; ')
}

function tableOf(verdicts, scenes, cellOf) {
  const shown = scenes.filter(({ name }) => verdicts.some(({ scene }) => scene === name))
  const rows = contestantsOf(verdicts).map((contestant) => [
    titleOf(contestant),
    ...shown.map(({ name }) => {
      const verdict = verdicts.find((one) => one.contestant === contestant && one.scene === name)
      return verdict === undefined ? '' : cellOf(verdict)
    }),
  ])
  return aligned([['client', ...shown.map(({ title }) => title)], ...rows])
}

const contestantsOf = (verdicts) => [...new Set(verdicts.map(({ contestant }) => contestant))]

function titleOf(contestant) {
  const { title, about } = describe(contestant)
  return about ? `${title} (${about})` : title
}

function secondsOf({ first, last }) {
  const [from, to] = [first, last].map((milliseconds) => (milliseconds / 1000).toFixed(1))
  return from === to ? to : `${from} to ${to}`
}

/** Columns of equal width; the first row has the headings. */
function aligned([headings, ...rows]) {
  const widths = headings.map((_, column) => Math.max(...[headings, ...rows].map((row) => row[column].length)))
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`
  return [line(headings), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
