/**
 * Dead peers, and living ones, on wires that are cut. Whatever is found out there takes a dozen seconds, so all of it happens
 * at the same time, on three wires; the tests look at what came of it.
 */
import { beforeAll, describe } from 'vitest'
import { describeWith } from '../support/requirements.js'
import type { Errand } from '../support/wire/chronicle.js'
import { withWire } from '../support/wire/wire.js'
import { describeAddresses, playAddresses, type TwoAddresses } from './scenes/addresses.js'
import { type Alone, describeAlone, playAlone } from './scenes/alone.js'
import { DELAY } from './scenes/common.js'
import { type CutReport, describeCut, playCut } from './scenes/cut.js'
import { describeLiving, type LivingReport, playLiving } from './scenes/living.js'
import { describeRestarted, playRestarted, type Restarted } from './scenes/restarted.js'
import { describeThousand, playThousand, type Thousand } from './scenes/thousand.js'

type ByFace<T> = Record<Errand['via'], T>

describeWith(['linux', 'root', 'netns', 'tun', 'ip', 'koffi', 'openssl', 'node26'], 'on a cut wire', () => {
  let cut: CutReport[]
  let living: LivingReport[]
  let thousand: Thousand
  let addresses: ByFace<TwoAddresses>
  let alone: ByFace<Alone>
  let restarted: ByFace<Restarted>

  beforeAll(async () => {
    const delay = { delay: DELAY }
    const several = withWire(delay, (wire) =>
      Promise.all([playThousand(wire), playAddresses(wire), playAlone(wire), playRestarted(wire)]),
    )
    ;[cut, living, [thousand, addresses, alone, restarted]] = await Promise.all([
      withWire(delay, playCut),
      withWire(delay, playLiving),
      several,
    ])
  }, 60_000)

  describe('dead peers', () => describeCut(() => cut))
  describe('living peers', () => describeLiving(() => living))
  describe('many peers', () => describeThousand(() => thousand))
  describe('several addresses', () => describeAddresses(() => addresses))
  describe('siblings', () => describeAlone(() => alone))
  describe('restarts', () => describeRestarted(() => restarted))
})
