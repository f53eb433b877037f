/**
 * The little of Markdown that the documentation tests need: sections, tables, fenced code, links.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

/** A fenced block of code. */
export interface Fence {
  /** The line it begins on, from 1. */
  readonly line: number
  readonly language: string
  readonly code: string
}

/** A table row: its cells by the titles of their columns. */
export type Row = Readonly<Record<string, string>>

export class Page {
  readonly text: string

  /** @param path from the root of the repository: `docs/options.md` */
  constructor(readonly path: string) {
    this.text = readFileSync(join(root, path), 'utf8')
  }

  /** What stands under a heading, up to the next of the same or a higher level. Throws if there is no such heading. */
  section(heading: string): string {
    const lines = this.text.split('\n')
    const levelOf = (line: string) => /^(#+) /.exec(line)?.[1]?.length ?? Infinity
    const start = lines.findIndex((line) => line.replace(/^#+ /, '') === heading && line.startsWith('#'))
    if (start < 0) throw new Error(`${this.path} has no heading "${heading}"`)
    const level = levelOf(lines[start] as string)
    const length = lines.slice(start + 1).findIndex((line) => levelOf(line) <= level)
    return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).join('\n')
  }

  /** The tables under a heading (of the page, without one), in order. */
  tables(heading?: string): Row[][] {
    return tablesOf(heading === undefined ? this.text : this.section(heading))
  }

  /** The one table under a heading whose first column has this title. Throws unless there is exactly one. */
  table(heading: string, firstColumn: string): Row[] {
    const found = this.tables(heading).filter(([row]) => row !== undefined && Object.keys(row)[0] === firstColumn)
    if (found.length !== 1)
      throw new Error(`${this.path}, "${heading}": ${found.length} tables whose first column is "${firstColumn}"`)
    return found[0] as Row[]
  }

  fences(): Fence[] {
    const fences: Fence[] = []
    for (const match of this.text.matchAll(/^```(\S*)\n(.*?)^```$/gms)) {
      const line = this.text.slice(0, match.index).split('\n').length
      fences.push({ line, language: match[1] as string, code: match[2] as string })
    }
    return fences
  }

  /** Targets of links and images, outside code. */
  links(): string[] {
    const prose = this.text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '')
    return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target as string)
  }

  /** The anchors that its headings give, as GitHub makes them, and those that are written out (`<a id="…">`). */
  anchors(): string[] {
    const prose = this.text.replace(/^```.*?^```$/gms, '')
    const seen = new Map<string, number>()
    const ofHeadings = [...prose.matchAll(/^#+ (.*)$/gm)].map(([, title]) => {
      const slug = (title as string)
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-')
      const before = seen.get(slug) ?? 0
      seen.set(slug, before + 1)
      return before === 0 ? slug : `${slug}-${before}`
    })
    return [...ofHeadings, ...[...prose.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id as string)]
  }
}

/** What TypeDoc writes: `api.test.ts` looks after it. */
const REFERENCE = join('docs', 'api/')

const inDocs = (): string[] =>
  readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name))
    .sort()

/** Every page of the documentation that somebody has written. */
export function pages(): Page[] {
  const written = inDocs().filter((path) => !path.startsWith(REFERENCE))
  return ['README.md', 'CHANGELOG.md', ...written].map((path) => new Page(path))
}

/** The pages of the reference. */
export function reference(): Page[] {
  return inDocs()
    .filter((path) => path.startsWith(REFERENCE))
    .map((path) => new Page(path))
}

/** `value` of a cell "`value`" or "[`value`](link)"; the cell as it is if it has no code. */
export function code(cell: string | undefined): string {
  return /`([^`]*)`/.exec(cell ?? '')?.[1] ?? cell ?? ''
}

function tablesOf(text: string): Row[][] {
  const blocks = text.match(/(?:^\|.*\|$\n?)+/gm) ?? []
  return blocks.map((block) => {
    const [titles = [], , ...rows] = block.trimEnd().split('\n').map(cellsOf)
    return rows.map((cells) => Object.fromEntries(titles.map((title, index) => [title, cells[index] ?? ''])))
  })
}

const cellsOf = (line: string): string[] =>
  line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
