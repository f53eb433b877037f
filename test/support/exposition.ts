/**
 * Reads the text format of Prometheus (version 0.0.4) as strictly as it is written down, so that a test knows it would be read
 * by others: a name, HELP and TYPE once for each metric and before its samples, labels quoted, no series twice.
 */

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly type: string
  readonly help: string
  readonly samples: Sample[]
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y

/** @throws Error that names the line that is wrong */
export function parseExposition(text: string): Map<string, Family> {
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let help: [name: string, text: string] | undefined
  let current: [name: string, family: Family] | undefined
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of text.split('\n')) {
    const [, comment, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? []
    if (comment === 'HELP') help = [name, rest]
    else if (comment === 'TYPE') {
      if (help?.[0] !== name || families.has(name)) throw new Error(`out of place: ${line}`)
      current = [name, { type: rest, help: help[1], samples: [] }]
      families.set(...current)
    } else if (line !== '') {
      const sample = sampleOf(line)
      if (current === undefined || !belongs(sample, current[0], current[1].type)) throw new Error(`whose is ${line}`)
      const series = sample.name + JSON.stringify(Object.entries(sample.labels).sort())
      if (seen.has(series)) throw new Error(`twice: ${line}`)
      seen.add(series)
      current[1].samples.push(sample)
    }
  }
  return families
}

function sampleOf(line: string): Sample {
  const [, name, inner = '', number] = SAMPLE.exec(line) ?? []
  const value = Number(number === '+Inf' ? Infinity : number)
  if (name === undefined || Number.isNaN(value)) throw new Error(`no sample: ${line}`)
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < inner.length) {
    const [, label, text] = LABEL.exec(inner) ?? []
    if (label === undefined || text === undefined || label in labels) throw new Error(`labels: ${line}`)
    labels[label] = text.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
  }
  return { name, labels, value }
}

function belongs({ name, labels }: Sample, family: string, type: string): boolean {
  if (type !== 'histogram') return name === family
  return name === `${family}_bucket` ? 'le' in labels : name === `${family}_sum` || name === `${family}_count`
}
