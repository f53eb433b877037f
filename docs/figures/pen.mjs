// What the figures are drawn with: text, lines, dots, and the card that they stand on.

export const WIDTH = 880

export const colours = {
  ink: '#1f2937',
  faint: '#6b7280',
  line: '#cbd5e1',
  bad: '#dc2626',
  good: '#15803d',
  busy: '#d97706',
}

export const round = (number) => Math.round(number * 10) / 10

export const text = (x, y, words, { colour = 'ink', size = 13, anchor = 'start', weight = 400 } = {}) =>
  `<text x="${round(x)}" y="${round(y)}" fill="${colours[colour]}" font-size="${size}" font-weight="${weight}" text-anchor="${anchor}">${words}</text>`

export const line = (x1, y1, x2, y2, colour, extra = '') =>
  `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colours[colour]}" ${extra}/>`

export const dot = (x, y, colour) => `<circle cx="${round(x)}" cy="${y}" r="4" fill="${colours[colour]}"/>`

/** A whole figure: a white card, since an image does not know the colours of the page it stands on. */
export function svg(width, height, title, ...parts) {
  const markers = Object.entries(colours).map(
    ([name, colour]) =>
      `<marker id="${name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0 10 5 0 10z" fill="${colour}"/></marker>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" role="img">
<title>${title}</title>
<defs>${markers.join('')}</defs>
<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8" fill="#ffffff" stroke="${colours.line}"/>
${parts.join('\n')}
</svg>
`
}
