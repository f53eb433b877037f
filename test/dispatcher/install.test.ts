import { Agent, getGlobalDispatcher, request, setGlobalDispatcher } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testPool, testServer } from './support.js'

describe('install()', () => {
  const before = getGlobalDispatcher()
  let agent: Agent

  beforeEach(() => {
    agent = new Agent()
    setGlobalDispatcher(agent)
  })

  afterEach(async () => {
    setGlobalDispatcher(before)
    await agent.destroy()
  })

  it('has the built-in fetch and undici use the pool, until it is undone', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const restore = pool.install()
    expect(await (await fetch(origin)).text()).toBe('ok')
    expect(await (await request(origin)).body.text()).toBe('ok')
    expect(pool.stats()).toMatchObject({ requests: 2, opened: 1 })
    restore()
    expect(getGlobalDispatcher()).toBe(agent)
    expect(await (await fetch(origin)).text()).toBe('ok')
    expect(pool.stats().requests).toBe(2)
  })

  it('undone twice is undone once', () => {
    const pool = testPool()
    const restore = pool.install()
    restore()
    const other = testPool()
    other.install()
    restore()
    expect(getGlobalDispatcher()).toBe(other.dispatcher)
  })

  it('leaves alone what somebody has put there since', () => {
    const pool = testPool()
    const restore = pool.install()
    const later = new Agent()
    setGlobalDispatcher(later)
    restore()
    expect(getGlobalDispatcher()).toBe(later)
  })

  it('of two pools, undone in the order of a stack, ends where it began', () => {
    const [first, second] = [testPool(), testPool()]
    const restoreFirst = first.install()
    const restoreSecond = second.install()
    restoreSecond()
    expect(getGlobalDispatcher()).toBe(first.dispatcher)
    restoreFirst()
    expect(getGlobalDispatcher()).toBe(agent)
  })

  it('twice of one pool, undone twice, ends where it began', () => {
    const pool = testPool()
    const restores = [pool.install(), pool.install()]
    restores[1]!()
    restores[0]!()
    expect(getGlobalDispatcher()).toBe(agent)
  })
})

it('importing keepwise changes nothing by itself', async () => {
  await import('../../src/index.js')
  expect(getGlobalDispatcher().constructor.name).toBe('Agent')
})
