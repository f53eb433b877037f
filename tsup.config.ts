import { defineConfig, type Options } from 'tsup'
import { bundlePage } from './src/watch/page/bundle.mjs'

const entries = {
  index: 'src/index.ts',
  prometheus: 'src/prometheus.ts',
  server: 'src/server.ts',
  watch: 'src/watch.ts',
}

const common: Options = {
  entry: { ...entries, 'builtin-fetch-first': 'src/builtin-fetch-first.ts' },
  target: 'node20',
  platform: 'node',
  sourcemap: true,
  // The program of the watch page, as text.
  define: { KEEPWISE_PAGE: JSON.stringify(bundlePage()) },
  esbuildPlugins: [
    {
      // The prelude must stay a module of its own: it has to be evaluated before undici is (see the file).
      name: 'prelude-of-the-same-format',
      setup(build) {
        const extension = build.initialOptions.format === 'cjs' ? '.cjs' : '.js'
        build.onResolve({ filter: /^\.\/builtin-fetch-first\.js$/ }, () => ({
          path: `./builtin-fetch-first${extension}`,
          external: true,
          sideEffects: true,
        }))
      },
    },
  ],
  splitting: false,
  shims: true,
}

export default defineConfig([
  { ...common, format: 'esm', dts: { entry: entries } },
  // p-queue is ESM only: `require('p-queue')` in a CommonJS build does not give its constructor, so it is bundled there.
  { ...common, format: 'cjs', dts: { entry: entries }, noExternal: ['p-queue'] },
  // The command has in it what it alone needs. Of that, commander is CommonJS and requires modules of Node's.
  {
    ...common,
    entry: { cli: 'src/cli.ts' },
    format: 'esm',
    noExternal: ['commander', /^d3-/, 'internmap'],
    banner: {
      js: "import { createRequire as requireOfNode } from 'node:module'\nconst require = requireOfNode(import.meta.url)",
    },
  },
])
