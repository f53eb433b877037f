// A plugin for TypeDoc: links of the reference that lead nowhere.
//
// typedoc-plugin-markdown makes the anchor of a member from its owner and its name, and drops the dot between them. So the method
// `stats` of `Pool` is given that of the type `PoolStats`, and links to the type become `#poolstats-1`, a heading that is not there.

import { MarkdownPageEvent } from 'typedoc-plugin-markdown'

/** @param {import('typedoc-plugin-markdown').MarkdownApplication} app */
export function load(app) {
  app.renderer.on(MarkdownPageEvent.END, (page) => {
    const headings = page.contents.matchAll(/^#+ (.*)$/gm)
    const anchors = new Set(Array.from(headings, ([, title]) => title.toLowerCase().replace(/[^\w -]/g, '')))
    page.contents = page.contents.replace(/\(#([\w-]+)-\d+\)/g, (link, name) =>
      anchors.has(name) ? `(#${name})` : link,
    )
  })
}
