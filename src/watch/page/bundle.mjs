// Bundles the program of the watch page into one text, for those who build or test this package: it takes the place of
// KEEPWISE_PAGE in `script.ts`.

import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

/** What has the features of the page's program: about three years old and younger. */
const browsers = ['chrome111', 'firefox113', 'safari16.4']

export function bundlePage() {
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL('browser/main.ts', import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: browsers,
    charset: 'utf8',
    legalComments: 'inline',
  })
  return outputFiles[0].text
}
