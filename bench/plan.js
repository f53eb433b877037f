// What is measured against what, and the budgets: the one table to edit when a contestant is added.

/** Numbers of connections, each with as many requests outstanding. */
export const LEVELS = [1, 50, 1000, 5000]

/** What `--quick` looks at, besides the levels that have a budget. */
export const QUICK_LEVELS = [50, 1000]

/** Connections of the measurement of idle memory. */
export const IDLE_CONNECTIONS = 1000

/** Pairs for the memory of idle connections, which varies little: where a budget hangs on them, and elsewhere. */
export const IDLE_RUNS = { budget: 3, other: 1 }

/**
 * `cpu`: the most CPU per request allowed, as a ratio to the peer, by connections. `heap`: the same for the heap of an
 * idle connection. `runs`: pairs measured, more where a budget hangs on them.
 */
export const COMPARISONS = [
  { subject: 'keepwise', peer: 'undici-pool', runs: 5, cpu: { 50: 0.92, 1000: 0.75, 5000: 0.6 }, heap: 1 },
  { subject: 'keepwise', peer: 'undici-agent', runs: 3 },
  { subject: 'keepwise', peer: 'http-agent', runs: 3 },
  { subject: 'keepwise-agent', peer: 'http-agent', runs: 5, cpu: { 50: 1, 1000: 0.9 } },
  { subject: 'keepwise-agent', peer: 'agentkeepalive', runs: 3, cpu: { 1000: 0.8 } },
  { subject: 'keepwise-request', peer: 'undici-pool-request', runs: 3 },
  { subject: 'keepwise-fetch', peer: 'fetch', runs: 2 },
]

/**
 * The comparisons `--only` asks for. A name keeps the comparisons it takes part in; a subject and a peer together keep
 * theirs alone. `a/b` compares two contestants the table does not pair (`undici-pool/undici-pool` shows the noise), and
 * one that the table has in no pair is measured alone.
 */
export function select(only) {
  if (only.length === 0) return COMPARISONS
  const pairs = only.filter((name) => name.includes('/')).map((name) => name.split('/'))
  const names = only.filter((name) => !name.includes('/'))
  const subjects = names.filter((name) => COMPARISONS.some(({ subject }) => subject === name))
  const peers = names.filter((name) => COMPARISONS.some(({ peer }) => peer === name))
  const alone = names.filter((name) => !subjects.includes(name) && !peers.includes(name))
  const asked = (list, name) => list.length === 0 || list.includes(name)
  return [
    ...COMPARISONS.filter(
      ({ subject, peer }) => subjects.length + peers.length > 0 && asked(subjects, subject) && asked(peers, peer),
    ),
    ...pairs.map(
      ([subject, peer]) =>
        COMPARISONS.find((known) => known.subject === subject && known.peer === peer) ?? { subject, peer, runs: 3 },
    ),
    ...alone.map((subject) => ({ subject, runs: 3 })),
  ]
}

/** The volume of `--quick` and of comparisons without a budget, for which a rougher number will do. */
export const ROUGH = 0.5

/**
 * How much is sent: each participant of a pair warms up and then sends `slices` times `requests`, in turns. Both sides
 * of a pair send the same, so the heavier of the two decides. At one connection the round trip takes the time, not the
 * CPU; at thousands a slice must be more than one round, or its ramp-up would count for too much.
 */
export function volume(connections, weight, scale) {
  const full = (connections === 1 ? 6_000 : 30_000) / weight
  const requests = Math.max(Math.round(full / 12), 2 * connections)
  return {
    requests,
    // Even, for the order changes with every turn.
    slices: Math.max(2, 2 * Math.round((scale * full) / requests / 2)),
    // Twice through every connection, and enough for the optimising compiler: the first thousands cost two to
    // three times as much as those after them.
    warmUp: Math.max(Math.round(0.8 * scale * full), 2 * connections, 4_000),
  }
}
