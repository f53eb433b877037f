/**
 * A picture as plain data: a tree of SVG elements. The page makes elements of it, a file is its text.
 */
export interface Shape {
  readonly tag: string
  readonly attributes: Attributes
  readonly children: readonly (Shape | string)[]
}

/** An undefined one is left out. `key` tells the same element in two pictures; it is not written. */
export type Attributes = Readonly<Record<string, string | number | undefined>>

type Child = Shape | string | undefined | false | readonly Child[]

export function shape(tag: string, attributes: Attributes = {}, ...children: Child[]): Shape {
  return { tag, attributes, children: (children.flat(5) as (Shape | string | undefined | false)[]).filter(isThere) }
}

const isThere = (child: Shape | string | undefined | false): child is Shape | string =>
  child !== undefined && child !== false

/** As XML. */
export function markup(of: Shape | string): string {
  if (typeof of === 'string') return escaped(of)
  const attributes = Object.entries(of.attributes)
    .filter(([name, value]) => value !== undefined && name !== 'key')
    .map(([name, value]) => ` ${name}="${escaped(String(value))}"`)
  const open = `<${of.tag}${attributes.join('')}`
  if (of.children.length === 0) return `${open}/>`
  return `${open}>${of.children.map(markup).join('')}</${of.tag}>`
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Characters that XML cannot have at all become a replacement character. */
const escaped = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones
    .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Surrogate}/gu, '\uFFFD')
    .replace(/[&<>"]/g, (character) => entities[character] as string)
