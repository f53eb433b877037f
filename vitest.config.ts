import { defineConfig } from 'vitest/config'
import { bundlePage } from './src/watch/page/bundle.mjs'

/**
 * Where what happens on a wire, in a kernel or in a server of its own kind is timed: one file after the other. (What is dead is
 * waited for, for seconds: that may as well be beside others.) A browser needs a machine for itself.
 */
const measured = [
  ...['liveness', 'replay', 'servers', 'support', 'wire'].map((folder) => `test/${folder}/**/*.test.ts`),
  'test/watch/page.test.ts',
]

export default defineConfig({
  define: { KEEPWISE_PAGE: JSON.stringify(bundlePage()) },
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    coverage: { include: ['src/**'] },
    projects: [
      {
        extends: true,
        test: { name: 'alone', include: measured, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: 'beside others',
          include: ['test/**/*.test.ts'],
          exclude: measured,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
    ],
  },
})
