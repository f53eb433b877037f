// The traffic: a seeded list of jobs, the same for every client. Steady stretches and bursts, and between them pauses
// about as long as the server's idle timeout, because that is where a request and the server's goodbye cross.

import { habits } from './servers.js'

/** Jobs `{ id, at, server, method, work, delay }`, in order of `at`; times in milliseconds. */
export function schedule({ seed, duration }) {
  const random = mulberry32(seed)
  const jobs = Object.keys(habits).flatMap((server) => jobsFor(server, duration, random))
  return jobs.sort((a, b) => a.at - b.at).map((job, id) => ({ id, ...job }))
}

function jobsFor(server, duration, random) {
  const between = (low, high) => low + random() * (high - low)
  const jobs = []
  let now = between(0, 200)

  // `work` is what the service does before it calls out, `delay` what the server takes to answer.
  const add = (work) => {
    const delay = between(2, 12)
    jobs.push({ at: now, server, method: random() < 0.5 ? 'POST' : 'GET', work, delay })
    return { work, delay }
  }
  // These move `now` to when the last answer should be in.
  const single = (milliseconds) => {
    const { work, delay } = add(milliseconds)
    now += work + delay
  }
  const burst = () => {
    const added = Array.from({ length: between(2, 6) }, () => add(between(3, 9)))
    now += added.reduce((sum, { work }) => sum + work, 0) + added.at(-1).delay
  }
  const steady = (requests) => {
    for (; requests > 0; requests--) {
      single(between(1, 4))
      now += between(5, 20)
    }
  }

  while (now < duration) {
    if (random() < 0.5) single(between(10, 35))
    else burst()
    now += between(5, 20)
    if (random() < 0.7) steady(between(10, 40))
    else burst()
    now += random() < 0.25 ? between(100, 400) : habits[server].idleTimeout + between(-30, 0)
  }
  return jobs.filter((job) => job.at < duration)
}

// A small seeded generator: the same seed gives the same traffic on every machine.
function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
