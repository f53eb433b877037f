import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Sockets, kernels and child servers are real: files in parallel would measure each other on a small machine.
    fileParallelism: false,
    pool: 'forks',
    coverage: { include: ['src/**'] },
  },
})
