// One wire, all contestants in all scenes at once: connected, put to work, cut off, waited for, mended.

import { setTimeout as sleep } from 'node:timers/promises'
import { monotonic } from '../../test/support/wire/clock.js'
import { withWire } from '../../test/support/wire/wire.js'

const SERVER = new URL('../../test/support/wire/servers/scenes.js', import.meta.url).pathname
const CLIENT = new URL('./client.js', import.meta.url).pathname

/** Round trips that large bodies have been on the wire for at the cut: TCP has only begun to send them faster. */
const UPLOADED = 2
/** Milliseconds in which an acknowledgement is sent at the latest. */
const ACKNOWLEDGED = 60

/**
 * @returns {Promise<object[]>} for each lane `{ contestant, scene, answered?, after?, code?, next }`: what became of its
 *   request or its idle connection, if anything has, how many milliseconds after the cut (after its start, if it is not
 *   cut); and of the next request
 */
export function runTrial({ contestants, scenes, lanes, patience, delay }) {
  return withWire({ delay }, async (wire) => {
    const server = await wire.server.node(SERVER)
    const { ports } = await server.call('listen', { ports: contestants.length * scenes.length * lanes })
    const all = lanesOn(ports, wire.server.address, { contestants, scenes, lanes })
    const lanesOf = (index) => all.filter(({ contestant }) => contestant === contestants[index])
    const processes = await Promise.all(contestants.map(() => wire.client.node(CLIENT)))
    const tell = async (...call) => (await Promise.all(processes.map((process) => process.call(...call)))).flat()
    const arrivalOf = (lanes) =>
      server.call(
        'arrived',
        lanes.map(({ name }) => name),
      )
    const living = all.filter(({ kind }) => kind === 'living')
    /** When each lane was cut off; when it was started, if it is not cut. @type {Map<string, number>} */
    const since = new Map()
    const note = (lanes) => lanes.forEach(({ name }) => void since.set(name, monotonic()))
    const cut = async (lanes) => {
      await wire.cut('both', placeOf(lanes))
      note(lanes)
    }

    await Promise.all(processes.map((process, index) => process.call('open', contestants[index], lanesOf(index))))
    note(living)
    await tell('start', 'first')
    await arrivalOf(living)
    // One client after the other: all at once they would be slower than the wire.
    for (const [index, process] of processes.entries()) {
      const uploads = lanesOf(index).filter(({ start }) => start === 'amid')
      await process.call('start', 'amid')
      await arrivalOf(uploads)
      await sleep(UPLOADED * 2 * delay)
      await cut(uploads)
    }
    await tell('touch')
    await tell('start', 'early')
    await arrivalOf(all.filter(({ start }) => start === 'early'))
    await sleep(2 * delay + ACKNOWLEDGED)
    const others = all.filter(({ start, kind }) => start !== 'amid' && kind !== 'living')
    for (const { name } of scenes) await cut(others.filter(({ scene }) => scene === name))
    await tell('start', 'late')
    await checkUploads(server, all)

    const lastCut = Math.max(...since.values())
    for (const { name, mendAfter } of scenes) {
      if (mendAfter === undefined) continue
      await sleep(lastCut + mendAfter - monotonic())
      await wire.mend('both', placeOf(all.filter(({ scene }) => scene === name)))
    }
    await sleep(lastCut + 1000 * patience - monotonic())

    const records = await tell('records')
    await wire.mend()
    const next = await tell('again')
    return all.map(({ name, contestant, scene }) => {
      const { at, answered, code } = records.find((record) => record.name === name)
      const { took, code: nextCode } = next.find((one) => one.name === name)
      const outcome = at === undefined ? {} : { answered, after: at - since.get(name), ...(code && { code }) }
      return { contestant, scene, ...outcome, next: { took, ...(nextCode && { code: nextCode }) } }
    })
  })
}

const placeOf = (lanes) => ({ ports: lanes.map(({ port }) => port) })

/** What is said of large bodies must be true of each: some of it was there at the cut, and not all. */
async function checkUploads(server, lanes) {
  const names = lanes.filter(({ start }) => start === 'amid').map(({ name }) => name)
  const seen = (await server.call('requests')).filter(({ id }) => names.includes(id))
  const wrong = seen.find(({ received, complete }) => received === 0 || complete)
  if (wrong !== undefined) throw new Error(`${wrong.id} was cut off with ${wrong.received} bytes of its body there`)
}

/** Every contestant in every scene so often, each lane on a port of its own. */
function lanesOn(ports, address, { contestants, scenes, lanes }) {
  const free = [...ports]
  const place = () => {
    const port = free.shift()
    return { port, url: `http://${address}:${port}` }
  }
  return contestants.flatMap((contestant) =>
    scenes.flatMap((scene) =>
      Array.from({ length: lanes }, (_, lane) => ({
        ...scene,
        scene: scene.name,
        contestant,
        name: `${contestant}.${scene.name}.${lane}`,
        ...place(),
      })),
    ),
  )
}
