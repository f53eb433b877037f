import { describe, expect } from 'vitest'
import { NODE_MAJORS, runOnNode } from './nodes.js'
import { itWith, type Requirement } from './requirements.js'

describe('runOnNode', () => {
  for (const major of NODE_MAJORS) {
    itWith(`node${major}` satisfies Requirement, `runs a module on Node ${major}`, async () => {
      const source = `
        import { argv, env, versions } from 'node:process'
        console.log(JSON.stringify([versions.node, argv.slice(2), env.GREETING, env.VITEST ?? null]))
        console.error('complaint')
        process.exitCode = 3`
      const run = await runOnNode(major, { source }, { env: { GREETING: 'hello' }, args: ['a', '-b'] })
      expect(run).toMatchObject({ code: 3, signal: null, stderr: 'complaint\n' })
      expect(JSON.parse(run.stdout)).toEqual([expect.stringMatching(`^${major}\\.`), ['a', '-b'], 'hello', null])
    })
  }

  itWith('node20', 'runs CommonJS', async () => {
    const run = await runOnNode(20, { source: "console.log(typeof require('node:net').connect)", type: 'commonjs' })
    expect(run.stdout).toBe('function\n')
  })

  itWith('node20', 'kills what does not end in time', async () => {
    const endless = runOnNode(20, { source: "console.log('on and on'); setInterval(() => {}, 1000)" }, { timeout: 400 })
    await expect(endless).rejects.toThrow(/Node 20 still ran after 400 ms.*on and on/)
  })
})
