/** What `explain()` warns about: each rule at its edge, and none at the defaults. */
import { describe, expect, it } from 'vitest'
import { named } from '../../src/liveness/middleboxes.js'
import { loadNative } from '../../src/liveness/native.js'
import { type LivenessPlan, planOf, presets } from '../../src/liveness/presets.js'
import type { AppliedLiveness } from '../../src/liveness/settings.js'
import type { SystemLiveness } from '../../src/liveness/system.js'
import { type PoolOptions, resolveOptions } from '../../src/options/pool-options.js'
import { explain } from '../../src/telemetry/explain.js'
import { type Situation, type WarningCode, warningsOf } from '../../src/telemetry/warnings.js'
import { PoolRig } from '../support/pool-rig.js'

const system: SystemLiveness = { idle: 7_200_000, interval: 75_000, probes: 9, source: 'sysctl' }

const appliedAs = (plan: LivenessPlan): AppliedLiveness => {
  const { idle, interval, probes, userTimeout = 0 } = plan.kind === 'set' ? plan : { ...system, userTimeout: 0 }
  const enabled = plan.kind !== 'off'
  return { enabled, idle, interval, probes, userTimeout, retransmitInterval: 5_000, source: enabled ? 'kernel' : 'off' }
}

/** A pool with these options, of which nothing else is out of the ordinary. */
function situation(options: PoolOptions = {}, own: Partial<Situation> = {}): Situation {
  const resolved = resolveOptions(options)
  const plan = planOf(resolved.liveness)
  const { idle, interval, probes } = plan.kind === 'set' ? plan : system
  return {
    ...resolved,
    through: resolved.through.map(named),
    plan,
    system,
    applied: appliedAs(plan),
    deadAfter: plan.kind === 'off' ? undefined : idle + interval * probes,
    idleTimeout: resolved.keepAliveTimeout === 'auto' ? 30_000 : resolved.keepAliveTimeout,
    advertisedTimeout: undefined,
    rtt: 1,
    kernel: true,
    longestWait: undefined,
    ...own,
  }
}

const codes = (options?: PoolOptions, own?: Partial<Situation>): WarningCode[] =>
  warningsOf(situation(options, own)).map(({ code }) => code)

/** The one message with this code. */
function message(code: WarningCode, options?: PoolOptions, own?: Partial<Situation>): string {
  const found = warningsOf(situation(options, own)).filter((warning) => warning.code === code)
  expect(found).toHaveLength(1)
  return found[0]!.message
}

const triple = { idle: 10_000, interval: 2_000, probes: 3 }

describe('nothing is warned about', () => {
  it('at the defaults, with Ti as long as the idle time', () => {
    expect(presets.cloud.idle).toBe(30_000)
    expect(codes()).toEqual([])
    expect(codes({}, { applied: undefined, kernel: undefined })).toEqual([])
  })

  it.each(['lan', 'cloud', 'mobile'] as const)('with the preset %s', (liveness) => {
    expect(codes({ liveness })).toEqual([])
  })

  it('behind what is usual in a cloud', () => {
    expect(codes({ through: ['aws-nlb', 'aws-alb', 'kube-proxy', 'nginx'] })).toEqual([])
    expect(codes({ through: ['azure-lb', 'envoy'], keepAliveTimeout: 600_000 })).toEqual([])
  })

  it('where TCP keepalive is switched off on purpose, or the connection is no TCP', () => {
    expect(codes({ liveness: false })).toEqual([])
    expect(codes({}, { applied: { ...appliedAs({ kind: 'off' }), source: 'unsupported' } })).toEqual([])
  })
})

describe('"forgotten"', () => {
  const late = { idle: 240_000, interval: 5_000, probes: 3 }

  it('where Ti is not below the time of a load balancer, and a connection may idle for longer', () => {
    const options = { through: 'azure-lb', liveness: late, headersTimeout: 200_000 } as const
    const own = { idleTimeout: 240_001, deadAfter: 1 }
    expect(codes(options, own)).toEqual(['forgotten'])
    expect(codes(options, { ...own, idleTimeout: 240_000 })).toEqual([])
    expect(codes({ ...options, liveness: { ...late, idle: 213_000 } }, own)).toEqual([])
    expect(message('forgotten', options, { ...own, idleTimeout: 599_950 })).toBe(
      'A connection may be silent for 599950 ms, but azure-lb forgets one after 240000 ms, and it is probed after ' +
        '240000 ms only: let "liveness.idle" be at most 120000.',
    )
  })

  it('where a response may be waited for in silence for longer', () => {
    const options = { through: 'azure-lb', liveness: false, headersTimeout: 240_001 } as const
    expect(codes(options)).toEqual(['forgotten'])
    expect(codes({ ...options, headersTimeout: 240_000 })).toEqual([])
    expect(message('forgotten', { ...options, headersTimeout: 0 })).toContain(
      'silent for any time, but azure-lb forgets one after 240000 ms, and nothing probes it',
    )
  })

  it('names the first that forgets', () => {
    const options = { through: ['aws-nlb', 'azure-lb', 'ipvs'], liveness: false, headersTimeout: 0 } as const
    expect(message('forgotten', options)).toContain('azure-lb forgets')
  })

  it('where nothing is said to be in between, for what is common, if a connection may idle for so long', () => {
    const own = { idleTimeout: 600_000, deadAfter: 1 }
    expect(codes({ liveness: late }, own)).toEqual(['forgotten'])
    expect(codes({ liveness: late }, { ...own, idleTimeout: 30_000 })).toEqual([])
    expect(codes({ liveness: late, through: 'nginx' }, own)).toEqual([])
    expect(message('forgotten', { liveness: late }, own)).toContain('or say in "through" what stands in between')
  })
})

describe('"closed-sooner"', () => {
  it('where the server advertises more than what is in between gives', () => {
    const own = { advertisedTimeout: 120_000 }
    expect(codes({ through: 'aws-alb' }, { ...own, idleTimeout: 60_000 })).toEqual(['closed-sooner'])
    expect(codes({ through: 'aws-alb' }, { ...own, idleTimeout: 59_999 })).toEqual([])
    expect(codes({ through: 'aws-alb' }, { idleTimeout: 60_000 })).toEqual([])
    expect(message('closed-sooner', { through: ['nginx', 'aws-alb'] }, { ...own, idleTimeout: 119_950 })).toBe(
      'A connection may idle for 119950 ms, as the server advertised, but aws-alb closes it after 60000 ms: have it ' +
        'advertise less, or set "keepAliveMaxTimeout" below 60000.',
    )
  })
})

describe('"above-through"', () => {
  it('where keepAliveTimeout is above what is in between gives', () => {
    expect(codes({ through: 'aws-alb', keepAliveTimeout: 60_001 })).toEqual(['above-through'])
    expect(codes({ through: 'aws-alb', keepAliveTimeout: 60_000 })).toEqual([])
    expect(codes({ through: 'gunicorn' })).toEqual([])
    expect(message('above-through', { through: 'aws-alb', keepAliveTimeout: 90_000 })).toContain(
      '"keepAliveTimeout" is 90000, but aws-alb closes connections that are silent for 60000 ms, which holds',
    )
    expect(
      message('above-through', { through: 'azure-lb', liveness: false, keepAliveTimeout: 300_000 }, { idleTimeout: 0 }),
    ).toContain('azure-lb forgets')
  })

  it('not where the server advertises something: that holds', () => {
    const own = { advertisedTimeout: 120_000, idleTimeout: 10 }
    expect(codes({ through: 'aws-alb', keepAliveTimeout: 90_000 }, own)).toEqual([])
  })
})

describe('"above-advertised"', () => {
  it('where keepAliveTimeout is above what the server advertises', () => {
    expect(codes({ keepAliveTimeout: 5_001 }, { advertisedTimeout: 5_000 })).toEqual(['above-advertised'])
    expect(codes({ keepAliveTimeout: 5_000 }, { advertisedTimeout: 5_000 })).toEqual([])
    expect(codes({ keepAliveTimeout: 'auto' }, { advertisedTimeout: 5_000 })).toEqual([])
    expect(message('above-advertised', { keepAliveTimeout: 60_000 }, { advertisedTimeout: 5_000 })).toContain(
      '"keepAliveTimeout" is 60000, but the server advertises 5000 ms, which holds',
    )
  })
})

describe('"margin-too-small"', () => {
  it('where a fixed margin is below the round-trip time', () => {
    expect(codes({ keepAliveMargin: 80 }, { rtt: 80.1 })).toEqual(['margin-too-small'])
    expect(codes({ keepAliveMargin: 80 }, { rtt: 80 })).toEqual([])
    expect(codes({ keepAliveMargin: 'auto' }, { rtt: 800 })).toEqual([])
    expect(message('margin-too-small', { keepAliveMargin: 0 }, { rtt: 12.34 })).toContain('a round trip takes 12.3 ms')
  })
})

describe('"timeout-first"', () => {
  it('where Ti + Td x Nm is above headersTimeout', () => {
    expect(codes({ headersTimeout: 44_999 })).toEqual(['timeout-first'])
    expect(codes({ headersTimeout: 45_000 })).toEqual([])
    expect(codes({ headersTimeout: 0 })).toEqual([])
    expect(codes({ headersTimeout: 1_000, liveness: false })).toEqual([])
    expect(message('timeout-first', { headersTimeout: 10_000 })).toContain(
      'known after 45000 ms (Ti + Td x Nm), but "headersTimeout" gives a request up after 10000 ms',
    )
  })
})

describe('"chatty"', () => {
  it('where Ti is not twice as long as the longest wait for a response', () => {
    expect(codes({}, { longestWait: 15_001 })).toEqual(['chatty'])
    expect(codes({}, { longestWait: 15_000 })).toEqual([])
    expect(codes({ liveness: false }, { longestWait: 15_001 })).toEqual([])
    expect(message('chatty', {}, { longestWait: 20_000.4 })).toMatch(
      /^Responses were waited for up to 20000 ms, and a connection that is silent for 30000 ms is probed/,
    )
  })
})

describe('"system-slow"', () => {
  it("where liveness is 'system' and the system takes two hours", () => {
    expect(codes({ liveness: 'system', headersTimeout: 0 })).toEqual(['system-slow'])
    expect(message('system-slow', { liveness: 'system' })).toContain('a dead peer is known after 7875000 ms')
  })

  it('not where the system was set up to probe in time', () => {
    const quick = { ...system, idle: 60_000 }
    expect(codes({ liveness: 'system' }, { system: quick, deadAfter: 100_000 })).toEqual([])
  })
})

describe('"user-timeout"', () => {
  it('where there is one: it ends connections to living peers', () => {
    expect(codes({ liveness: { ...triple, userTimeout: 20_000 } })).toEqual(['user-timeout'])
    expect(codes({ liveness: { ...triple, userTimeout: 0 } })).toEqual([])
    const said = (userTimeout: number): string => message('user-timeout', { liveness: { ...triple, userTimeout } })
    expect(said(16_000)).toContain('for 16000 ms, also one that lives')
    expect(said(15_999)).toContain('for 15999 ms, sooner than the 16000 ms of Ti + Td x Nm, also one that lives')
  })
})

describe('"not-as-asked"', () => {
  const applied = appliedAs({ kind: 'set', ...triple })

  it('where only Ti could be set', () => {
    const idleOnly = { ...applied, interval: undefined, probes: undefined, source: 'idle-only' } as const
    expect(codes({ liveness: triple }, { applied: idleOnly })).toEqual(['not-as-asked'])
    expect(message('not-as-asked', { liveness: triple }, { applied: idleOnly })).toContain(
      ': interval 2000 (there: unknown), probes 3 (there: unknown).',
    )
  })

  it('where somebody has set something else, or switched it off', () => {
    expect(codes({ liveness: triple }, { applied })).toEqual([])
    expect(codes({ liveness: triple }, { applied: { ...applied, probes: 10 } })).toEqual(['not-as-asked'])
    expect(codes({ liveness: triple }, { applied: { ...applied, enabled: false } })).toEqual(['not-as-asked'])
  })

  it('where a userTimeout is not there', () => {
    const liveness = { ...triple, userTimeout: 20_000 }
    expect(codes({ liveness }, { applied })).toEqual(['user-timeout', 'not-as-asked'])
    const nodeOnly = { ...applied, userTimeout: undefined, source: 'node' } as const
    expect(codes({ liveness: triple }, { applied: nodeOnly })).toEqual([])
    expect(codes({ liveness: { ...triple, userTimeout: 0 } }, { applied: nodeOnly })).toEqual([])
    expect(codes({ liveness }, { applied: nodeOnly })).toEqual(['user-timeout', 'not-as-asked'])
  })
})

describe('"no-kernel"', () => {
  it('where something was asked for that takes the kernel', () => {
    expect(codes({}, { kernel: false })).toEqual(['no-kernel'])
    expect(codes({ replay: 'closing', learn: false }, { kernel: false })).toEqual(['no-kernel'])
    expect(codes({ replay: 'idempotent', learn: true }, { kernel: false })).toEqual(['no-kernel'])
    expect(codes({ replay: 'idempotent', learn: false }, { kernel: false })).toEqual([])
    expect(codes({ replay: 'off', learn: false }, { kernel: false })).toEqual([])
    expect(message('no-kernel', { learn: false }, { kernel: false })).toBe(
      'The kernel cannot be asked about connections: "replay" is "proven", but nothing can be proven. ' +
        '`capabilities.why` says what is missing.',
    )
  })
})

describe('explain()', () => {
  const explained = (rig: PoolRig, observed?: Parameters<typeof explain>[3]) => {
    const { target, key } = rig.origin()
    return explain(rig.core, target, key, observed)
  }

  it('has no warnings at the defaults, with and without connections', async () => {
    const rig = new PoolRig()
    expect(explained(rig).warnings).toEqual([])
    await rig.idle(3)
    const kernel = loadNative().native !== undefined || undefined
    expect(explained(rig, { kernel, longestWait: 10_000 }).warnings).toEqual([])
  })

  it('has those that its options, its server and what was observed give cause for', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 60_000, headersTimeout: 5_000 })
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=5')
    const { warnings } = explained(rig, { kernel: false, longestWait: 20_000 })
    expect(warnings.map(({ code }) => code)).toEqual(['above-advertised', 'timeout-first', 'chatty', 'no-kernel'])
  })

  it('names what is in between as the source of the idle time, where it is shorter', async () => {
    expect(explained(new PoolRig({ through: 'gunicorn', keepAliveMargin: 100 })).idleTimeout).toEqual({
      value: 1_900,
      source: 'through',
      because:
        'the server advertised nothing; gunicorn closes connections that are silent for 2000 ms, ' +
        'less a margin of 100.0 ms',
    })
    const silent = { through: 'azure-lb', liveness: false, keepAliveTimeout: 300_000 } as const
    expect(explained(new PoolRig(silent)).idleTimeout).toMatchObject({
      value: 239_950,
      source: 'through',
      because: expect.stringContaining('azure-lb forgets connections'),
    })
  })

  it('names another source where that holds', async () => {
    expect(explained(new PoolRig({ through: 'nginx' })).idleTimeout).toMatchObject({ source: 'automatic' })
    expect(explained(new PoolRig({ through: 'nginx', keepAliveTimeout: 9 })).idleTimeout).toMatchObject({
      value: 9,
      source: 'option',
    })
    const rig = new PoolRig({ through: 'gunicorn' })
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=9')
    expect(explained(rig).idleTimeout).toMatchObject({ value: 8_950, source: 'advertised' })
  })

  it('counts the probes that the present connections send in an hour, at most', async () => {
    const rig = new PoolRig({ liveness: { idle: 7_000, interval: 1_000, probes: 1 } })
    expect(explained(rig).liveness.probesPerHour).toBe(0)
    await rig.connect(1)
    expect(explained(rig).liveness.probesPerHour).toBe(515)
    await rig.connect(9)
    expect(explained(rig).liveness.probesPerHour).toBe(5_143)
    const off = new PoolRig({ liveness: false })
    await off.connect(1)
    expect(explained(off).liveness.probesPerHour).toBe(0)
  })
})
