/** A recommendation as code to paste. */
import type { Recommendation } from './recommend.js'

/** Longest line of a comment. */
const WIDTH = 96

export function pasteable({ options, reasons }: Recommendation): string {
  const lines = reasons.flatMap(({ option, reason }) => [
    ...wrapped(sentence(reason), WIDTH).map((line) => `  // ${line}`),
    `  ${option}: ${literal(options[option])},`,
  ])
  const call = lines.length === 0 ? ['const pool = createPool()'] : ['const pool = createPool({', ...lines, '})']
  return [`import { createPool } from 'keepwise'`, '', ...call, ''].join('\n')
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

/** A value of an option as JavaScript. */
export function literal(value: unknown): string {
  if (typeof value === 'number') return String(value).replace(/\B(?=(\d{3})+$)/g, '_')
  if (typeof value === 'string') return `'${value}'`
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  const fields = Object.entries(value as object).map(([name, each]) => `${name}: ${literal(each)}`)
  return `{ ${fields.join(', ')} }`
}

/** Text in lines of at most `width` characters, broken at spaces. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
