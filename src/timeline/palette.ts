/**
 * Colours and type of a picture. The colours are Okabe and Ito's, which colour-blind people tell apart; each state has its
 * own height or pattern beside, so that a copy in grey says the same.
 */
import { type Shape, shape } from './shape.js'

export interface Theme {
  readonly ground: string
  readonly ink: string
  readonly faint: string
  readonly grid: string
  readonly active: string
  readonly idle: string
  readonly dialling: string
  readonly probed: string
  /** What was broken off, refused or failed. */
  readonly trouble: string
  readonly waiting: string
}

export const light: Theme = {
  ground: '#ffffff',
  ink: '#1f2937',
  faint: '#5b6472',
  grid: '#e3e7ec',
  active: '#0072b2',
  idle: '#8cc5e8',
  dialling: '#c77f00',
  probed: '#a23b7d',
  trouble: '#b33c00',
  waiting: '#009e73',
}

export const dark: Theme = {
  ground: '#11161f',
  ink: '#e6e9ee',
  faint: '#a2abb9',
  grid: '#29313d',
  active: '#56b4e9',
  idle: '#33688c',
  dialling: '#e69f00',
  probed: '#e08cc0',
  trouble: '#ff9a66',
  waiting: '#2fc79c',
}

export const SANS = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
export const MONO = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

/** Width of a character of the names of lanes, in pixels: monospace fonts agree in it. */
export const NAME_CHARACTER = 6.7

/** The style sheet of a picture. */
export function sheet(theme: Theme): string {
  const { ink, faint, grid, ground, active, idle, dialling, probed, trouble, waiting } = theme
  return `
.kw text { font: 12px ${SANS}; fill: ${ink}; }
.kw .kw-ground { fill: ${ground}; stroke: ${grid}; }
.kw .kw-title { font-size: 16px; font-weight: 700; }
.kw .kw-origin { font-size: 13px; font-weight: 700; }
.kw .kw-faint { fill: ${faint}; }
.kw .kw-small { font-size: 11px; }
.kw .kw-name { font: 11px ${MONO}; }
.kw .kw-over { paint-order: stroke; stroke: ${ground}; stroke-width: 3px; stroke-linejoin: round; }
.kw .kw-bad { fill: ${trouble}; font-weight: 600; }
.kw .kw-grid { stroke: ${grid}; stroke-width: 1; fill: none; }
.kw .kw-rule { stroke: ${faint}; stroke-width: 1; fill: none; }
.kw .kw-unseen { stroke: ${faint}; stroke-width: 1.5; stroke-dasharray: 1 4; fill: none; }
.kw .kw-idle { fill: ${idle}; }
.kw .kw-active { fill: ${active}; }
.kw .kw-dialling { stroke: ${dialling}; stroke-width: 1; }
.kw .kw-probed { stroke: ${probed}; stroke-width: 1; }
.kw .kw-stripe { stroke: ${dialling}; stroke-width: 2; fill: none; }
.kw .kw-check { fill: ${probed}; }
.kw .kw-paper { fill: ${ground}; }
.kw .kw-waiting { fill: ${waiting}; fill-opacity: 0.3; stroke: ${waiting}; stroke-width: 1.5; }
.kw .kw-stop { stroke: ${ink}; stroke-width: 2; fill: none; }
.kw .kw-broken { stroke: ${trouble}; stroke-width: 2; fill: none; }
.kw .kw-learned { fill: ${waiting}; stroke: ${ink}; }
.kw .kw-again { fill: ${active}; stroke: ${ink}; }
`
}

/** The fills that are patterns; `id` sets those of one picture on a page apart from another's. */
export function patterns(id: string): Shape {
  const pattern = (name: string, ...parts: Shape[]): Shape =>
    shape(
      'pattern',
      { id: `${id}-${name}`, width: 6, height: 6, patternUnits: 'userSpaceOnUse' },
      shape('rect', { class: 'kw-paper', width: 6, height: 6 }),
      ...parts,
    )
  return shape(
    'defs',
    {},
    pattern('dialling', shape('path', { class: 'kw-stripe', d: 'M-1 7 7 -1M-1 1 1 -1M5 7 7 5' })),
    pattern('probed', shape('path', { class: 'kw-check', d: 'M0 0h3v3h-3zM3 3h3v3h-3z' })),
  )
}
