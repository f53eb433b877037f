import { describe, expect, it } from 'vitest'
import { OptionError } from '../../src/errors.js'
import { middleboxNames } from '../../src/liveness/middleboxes.js'
import { planOfAgent } from '../../src/options/agent-options.js'
import { resolveOptions } from '../../src/options/pool-options.js'

function refusal(through: unknown): OptionError {
  try {
    resolveOptions({ through } as never)
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError)
    return error as OptionError
  }
  throw new Error('The option was taken')
}

describe('the through option', () => {
  it('is empty by default: nothing limits an idle connection, and liveness is the default', () => {
    expect(resolveOptions()).toMatchObject({ through: [], idleLimit: undefined, liveness: 'cloud' })
  })

  it.each(middleboxNames)('takes %s, alone or in a list', (name) => {
    expect(resolveOptions({ through: name }).through).toEqual([name])
    expect(resolveOptions({ through: [name, 'nginx'] }).through).toEqual([name, 'nginx'])
  })

  it('leaves liveness alone, given or not: the default keeps everything awake', () => {
    expect(resolveOptions({ through: middleboxNames }).liveness).toBe('cloud')
    expect(resolveOptions({ through: 'azure-lb', liveness: 'mobile' }).liveness).toBe('mobile')
    expect(resolveOptions({ through: 'azure-lb', liveness: false }).liveness).toBe(false)
  })

  it.each([
    ['aws-abl', 'aws-alb'],
    ['AWS-NLB', 'aws-nlb'],
    ['ngnix', 'nginx'],
    ['kubeproxy', 'kube-proxy'],
  ])('refuses %s, and suggests %s', (name, meant) => {
    for (const through of [name, ['nginx', name]]) {
      const error = refusal(through)
      expect(error.option).toBe('through')
      expect(error.message).toBe(`Option "through" knows nothing of "${name}". Did you mean "${meant}"?`)
    }
  })

  it.each(['toString', 'a-proxy-of-our-own', ''])('refuses %o, which is like none, with a list of all', (name) => {
    expect(refusal(name).message).toBe(
      `Option "through" knows nothing of "${name}". Known names: ${middleboxNames.join(', ')}.`,
    )
  })

  it.each([null, 5, true, {}, [['nginx']], [undefined]])('cannot be %o', (through) => {
    expect(refusal(through).message).toMatch(
      /^Option "through" must be a name or a list of names; it has .+ \(\w+\)\.$/,
    )
  })

  it('is taken by the drop-in agents, too', () => {
    expect(planOfAgent({ keepAlive: true, through: 'nginx' }).pool).toMatchObject({ through: 'nginx' })
  })
})

describe('what ends an idle connection first', () => {
  const limit = (options: Parameters<typeof resolveOptions>[0]) => resolveOptions(options).idleLimit

  it('is, of what speaks HTTP, the one with the shortest timeout, whatever liveness is', () => {
    for (const liveness of ['lan', 'cloud', 'system', false] as const)
      expect(limit({ through: ['nginx', 'aws-alb', 'puma'], liveness })).toMatchObject({
        name: 'aws-alb',
        timeout: 60_000,
        layer: 7,
      })
  })

  it('is nothing that works on TCP where it is probed in time', () => {
    expect(limit({ through: ['aws-nlb', 'azure-lb'] })).toBeUndefined()
    expect(limit({ through: 'azure-lb', liveness: { idle: 213_000, interval: 1000, probes: 1 } })).toBeUndefined()
  })

  it('is what works on TCP where it is probed too late, or never', () => {
    const late = { idle: 240_000, interval: 1_000, probes: 1 }
    expect(limit({ through: ['aws-nlb', 'azure-lb'], liveness: late })).toMatchObject({ name: 'azure-lb' })
    expect(limit({ through: 'aws-nlb', liveness: late })).toBeUndefined()
    expect(limit({ through: ['aws-nlb', 'aws-alb'], liveness: false })).toMatchObject({ name: 'aws-alb' })
    expect(limit({ through: 'aws-nlb', liveness: false })).toMatchObject({ name: 'aws-nlb', timeout: 350_000 })
  })

  it("is what works on TCP with liveness: 'system', of which two hours are the default", () => {
    expect(limit({ through: 'aws-nlb', liveness: 'system' })).toMatchObject({ name: 'aws-nlb' })
  })
})
