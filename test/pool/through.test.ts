/** How long a connection may idle where something is known to stand in between. */
import { describe, expect, it } from 'vitest'
import { AUTOMATIC_IDLE_TIME, PoolRig } from '../support/pool-rig.js'

/** How long an idle connection of this pool lives, found out to a millisecond, and why it is closed. */
async function idles(rig: PoolRig, keepAlive?: string): Promise<[milliseconds: number, reason: string]> {
  const [connection] = await rig.connect(1)
  rig.release(connection!, keepAlive)
  let age = 0
  for (; rig.endings.length === 0 && age < 1_000_000; age++) rig.clock.advance(1)
  return [age, rig.reasons[0] ?? 'never']
}

describe('an idle connection through what speaks HTTP', () => {
  it('is closed before gunicorn closes it after 2 s, less the margin', async () => {
    expect(await idles(new PoolRig({ through: 'gunicorn' }))).toEqual([1_950, 'idle-timeout'])
    expect(await idles(new PoolRig({ through: 'gunicorn', keepAliveMargin: 300 }))).toEqual([1_700, 'idle-timeout'])
  })

  it('is closed before the first of several closes it', async () => {
    expect(await idles(new PoolRig({ through: ['aws-alb', 'tomcat', 'nginx'] }))).toEqual([19_950, 'idle-timeout'])
  })

  it('is not kept for longer than otherwise', async () => {
    expect(await idles(new PoolRig({ through: 'nginx' }))).toEqual([AUTOMATIC_IDLE_TIME, 'idle-timeout'])
    expect(await idles(new PoolRig({ through: 'gunicorn', keepAliveTimeout: 1_000 }))).toEqual([1_000, 'idle-timeout'])
  })

  it('is kept for as long as the server advertises, be it more or less', async () => {
    expect(await idles(new PoolRig({ through: 'gunicorn' }), 'timeout=9')).toEqual([8_950, 'advertised-timeout'])
    expect(await idles(new PoolRig({ through: 'gunicorn' }), 'timeout=1')).toEqual([950, 'advertised-timeout'])
  })

  it('is closed earlier still where that was learned', async () => {
    const rig = new PoolRig({ through: 'uvicorn' })
    await rig.teach(3_000)
    expect(await idles(rig)).toEqual([2_950, 'learned-timeout'])
  })

  it('takes a hint that a proxy has passed on for no more than that', async () => {
    const rig = new PoolRig({ through: 'gunicorn' })
    const [connection] = await rig.connect(1)
    connection!.origin.hints.heard(connection!, 'timeout=60', false)
    connection!.origin.release(connection!)
    rig.clock.advance(1_950)
    expect(rig.endings).toHaveLength(1)
  })
})

describe('an idle connection through what works on TCP', () => {
  const keepAliveTimeout = 500_000

  it('is kept for as long as otherwise where it is probed in time', async () => {
    expect(await idles(new PoolRig({ through: 'azure-lb', keepAliveTimeout }))).toEqual([500_000, 'idle-timeout'])
  })

  it('is closed before azure-lb forgets it after 240 s where it is not', async () => {
    for (const liveness of [false, 'system', { idle: 240_000, interval: 1_000, probes: 1 }] as const)
      expect(await idles(new PoolRig({ through: ['aws-nlb', 'azure-lb'], keepAliveTimeout, liveness }))).toEqual([
        239_950,
        'idle-timeout',
      ])
  })
})
