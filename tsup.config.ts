import { defineConfig, type Options } from 'tsup'

const entries = { index: 'src/index.ts', server: 'src/server.ts' }

const common: Options = {
  entry: { ...entries, 'builtin-fetch-first': 'src/builtin-fetch-first.ts' },
  target: 'node20',
  platform: 'node',
  sourcemap: true,
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
])
