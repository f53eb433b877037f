/** The pools of a process, listed weakly. */
import { describe, expect, it } from 'vitest'
import { createPool } from '../src/index.js'
import { listedPools, newIdentity } from '../src/registry.js'

const listed = (): number[] => listedPools().map(({ id }) => id)

describe('the list of pools', () => {
  it('has those that are open, each with a number of its own, whatever they are called', async () => {
    const pools = [createPool({ name: 'api' }), createPool({ name: 'api' }), createPool()]
    const ids = pools.map(({ id }) => id)
    expect(new Set(ids).size).toBe(3)
    expect(listed()).toEqual(expect.arrayContaining(ids))
    expect(listedPools().find(({ id }) => id === ids[2])?.name).toBe('default')

    await pools[0]?.close()
    pools[1]?.destroy()
    expect(listed()).not.toContain(ids[0])
    expect(listed()).not.toContain(ids[1])
    expect(listed()).toContain(ids[2])
    pools[2]?.destroy()
  })

  it('gives their numbers', () => {
    const pool = createPool()
    const entry = listedPools().find(({ id }) => id === pool.id)
    expect(entry?.stats()).toEqual(pool.stats())
    pool.destroy()
  })

  it('is shared by all copies of the package in a process', () => {
    const shared = (globalThis as unknown as Record<symbol, { lastId: number }>)[Symbol.for('keepwise.pools')]
    const { id } = newIdentity('here')
    expect(shared?.lastId).toBe(id)
  })
})
