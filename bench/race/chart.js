// Draws the result of a run: for each scenario and contestant one bar, what became of its requests. docs/race.svg has all
// scenarios, docs/race-headline.svg the two that say most.

import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe } from './contestants/index.js'
import { SCENARIOS } from './scenarios.js'

const inDocs = (name) => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url))

const HEADLINE = ['post', 'get']

const WIDTH = 880
const MARGIN = 16
const HEADER = 84
const COLUMNS = 2
const GUTTER = 28
const PANEL = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GUTTER) / COLUMNS
/** Within a panel: the names on the left, the numbers on the right, the bars between them. */
const NAMES = 160
const NUMBERS = 92
const BAR = PANEL - NAMES - NUMBERS
const ROW = 19
const TITLE = 30
const PANEL_GAP = 18

const INK = '#1f2937'
const FAINT = '#6b7280'
const BAD = '#dc2626'
const GOOD = '#15803d'

/** In the order of the bar. */
const PARTS = [
  { key: 'reused', words: 'answered on an idle connection', colour: '#60a5fa' },
  { key: 'fresh', words: 'answered on a new connection', colour: '#cbd5e1' },
  { key: 'healed', words: 'raced, and answered all the same', colour: '#22c55e' },
  { key: 'failed', words: 'failed', colour: BAD },
]

/** Writes the files; returns their paths. */
export function draw({ options, trials }) {
  const headline = trials.filter(({ scenario }) => HEADLINE.includes(scenario))
  const files = { [inDocs('race.svg')]: trials, [inDocs('race-headline.svg')]: headline }
  for (const [file, drawn] of Object.entries(files)) writeFileSync(file, chart({ options, trials: drawn }))
  return Object.keys(files)
}

/** The picture as a text of SVG. */
export function chart({ options, trials }) {
  const panels = SCENARIOS.map((scenario) => ({
    scenario,
    trials: trials.filter((trial) => trial.scenario === scenario.name),
  })).filter((panel) => panel.trials.length > 0)
  const rows = Math.max(...panels.map((panel) => panel.trials.length))
  const height = TITLE + rows * ROW + PANEL_GAP
  const total = HEADER + Math.ceil(panels.length / COLUMNS) * height
  const drawn = panels.map((panel, index) => {
    const x = MARGIN + (index % COLUMNS) * (PANEL + GUTTER)
    const y = HEADER + Math.floor(index / COLUMNS) * height
    return `<g transform="translate(${round(x)} ${round(y)})">\n${drawPanel(panel)}\n</g>`
  })
  const title = 'Requests that cross with the close of an idle connection'
  const about = `${options.requests} requests for each bar, on a wire with a round trip of ${2 * options.delay} ms. On the right: how many failed.`
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${total}" viewBox="0 0 ${WIDTH} ${total}" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" role="img">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${total}" rx="8" fill="#ffffff" stroke="#cbd5e1"/>`,
    text(MARGIN, 26, title, { size: 15, weight: 700 }),
    text(MARGIN, 46, about, { colour: FAINT, size: 12 }),
    drawLegend(),
    ...drawn,
    '</svg>',
  ].join('\n')}\n`
}

function drawLegend() {
  let x = MARGIN
  return PARTS.map(({ words, colour }) => {
    const drawn = rectangle(x, 58, 11, colour, 11) + text(x + 16, 68, words, { size: 12 })
    x += 16 + words.length * 6.3 + 22
    return drawn
  }).join('\n')
}

function drawPanel({ scenario, trials }) {
  return [text(0, 16, scenario.title, { size: 13, weight: 700 }), ...trials.map(drawRow)].join('\n')
}

function drawRow(trial, index) {
  const y = TITLE + index * ROW
  const { title, about } = describe(trial.contestant)
  const isOurs = trial.contestant.startsWith('keepwise')
  let x = NAMES
  const bars = PARTS.map(({ key, colour }) => {
    const width = (trial[key] / trial.aimed) * BAR
    const bar = width > 0 ? rectangle(x, y - 4, width, colour) : ''
    x += width
    return bar
  })
  return [
    text(0, y + 6, isOurs && about !== '' ? `${title}, ${about.replaceAll('`', '')}` : title, {
      size: 12,
      weight: isOurs ? 700 : 400,
    }),
    ...bars,
    text(PANEL, y + 6, String(trial.failed), {
      size: 12,
      anchor: 'end',
      weight: 700,
      colour: trial.failed > 0 ? BAD : GOOD,
    }),
    trial.twice > 0 ? text(PANEL - 36, y + 6, `${trial.twice} twice`, { size: 10, anchor: 'end', colour: BAD }) : '',
  ]
    .filter(Boolean)
    .join('\n')
}

const round = (number) => Math.round(number * 10) / 10

const rectangle = (x, y, width, colour, height = 12) =>
  `<rect x="${round(x)}" y="${y}" width="${round(width)}" height="${height}" fill="${colour}"/>`

const text = (x, y, words, { colour = INK, size = 13, anchor = 'start', weight = 400 } = {}) =>
  `<text x="${round(x)}" y="${y}" fill="${colour}" font-size="${size}" font-weight="${weight}" text-anchor="${anchor}">${words}</text>`
