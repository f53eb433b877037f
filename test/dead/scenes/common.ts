/** What the scenes of dead peers have in common. */
import type { Errand, Outcome } from '../../support/wire/chronicle.js'

/** Of most scenes: a peer is dead after 5 s. */
export const LIVENESS = { idle: 2_000, interval: 1_000, probes: 3 }
export const SUSPECT_AFTER = LIVENESS.idle
export const DEAD_AFTER = LIVENESS.idle + LIVENESS.interval * LIVENESS.probes
/** A second is for the kernel's timers, which may be late by an eighth, and for the machine. */
export const PROMISED = DEAD_AFTER + 1_000

/** Length of all wires, in milliseconds. */
export const DELAY = 10

export const FACES = ['dispatcher', 'agents'] as const

export const post = (errand: Omit<Errand, 'method' | 'size'>): Errand => ({ ...errand, method: 'POST', size: 50 })

/** What the caller sees, and what is the cause of it. */
export const codesOf = ({ error }: Outcome): (string | undefined)[] => [error?.code, error?.causes[0]]
