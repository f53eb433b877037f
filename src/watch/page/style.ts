/**
 * The style of the page, in light and dark.
 */
import { MARGIN } from '../../timeline/geometry.js'
import { dark, light, MONO, SANS, sheet, type Theme } from '../../timeline/palette.js'

const variables = ({ ground, ink, faint, grid, active, trouble }: Theme): string =>
  `--ground: ${ground}; --ink: ${ink}; --faint: ${faint}; --line: ${grid}; --accent: ${active}; --trouble: ${trouble};`

export const style = `
:root { color-scheme: light dark; ${variables(light)} }
${sheet(light)}
@media (prefers-color-scheme: dark) {
:root { ${variables(dark)} }
${sheet(dark)}
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 14px/1.45 ${SANS}; }
main { padding: 0 ${MARGIN}px 32px; }
h1 { font-size: 18px; margin: 0; }
h2 { font-size: 15px; margin: 0; overflow-wrap: anywhere; }
h3 { font-size: 13px; margin: 0 0 4px; }
header { display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: center; padding: 12px 0; position: sticky; top: 0; z-index: 1;
  background: var(--ground); border-bottom: 1px solid var(--line); }
.status { margin: 0; font-weight: 600; }
.status[data-live='no'] { color: var(--trouble); }
.faint { color: var(--faint); }
.controls { display: flex; flex-wrap: wrap; gap: 12px; margin-left: auto; }
fieldset { border: 0; margin: 0; padding: 0; display: flex; }
button { font: inherit; color: inherit; background: transparent; border: 1px solid var(--faint); border-radius: 6px; padding: 4px 12px; cursor: pointer; }
fieldset button { border-radius: 0; margin-left: -1px; }
fieldset button:first-of-type { border-radius: 6px 0 0 6px; margin-left: 0; }
fieldset button:last-of-type { border-radius: 0 6px 6px 0; }
button[aria-pressed='true'] { background: var(--ink); color: var(--ground); border-color: var(--ink); }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.notice { border-left: 4px solid var(--trouble); padding: 6px 12px; margin: 16px 0; }
section { border-bottom: 1px solid var(--line); padding: 20px 0; }
.about { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; }
.gauges { display: flex; flex-wrap: wrap; gap: 8px; margin: 12px 0; padding: 0; }
.gauges div { border: 1px solid var(--line); border-radius: 8px; padding: 4px 14px; min-width: 92px; }
.gauges dt { color: var(--faint); font-size: 12px; }
.gauges dd { margin: 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
.gauges .some dd { color: var(--trouble); }
.picture { margin: 0 -${MARGIN}px; }
.picture svg { display: block; max-width: 100%; height: auto; }
.tables { display: flex; flex-wrap: wrap; gap: 12px 48px; margin-top: 12px; }
table { border-collapse: collapse; font-size: 13px; }
th, td { text-align: left; padding: 2px 24px 2px 0; border-bottom: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--faint); }
td { font-variant-numeric: tabular-nums; }
td:last-child, thead th:last-child { text-align: right; padding-right: 0; }
code { font: 12px ${MONO}; }
.key { margin-top: 12px; }
`
