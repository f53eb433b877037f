import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeWith } from '../requirements.js'
import { namespaces } from './namespaces.js'
import { clients, servers } from './programs.js'
import type { Talker } from './talker.js'
import { type Wire, withWire } from './wire.js'

/** Runs `body` with a connection over a wire to a server that sends back what it gets. */
async function withEcho(delay: number, body: (wire: Wire, client: Talker, id: number) => Promise<void>): Promise<void> {
  await withWire({ delay }, async (wire) => {
    const server = await wire.server.node(servers.echo)
    const { port } = await server.call('listen')
    const client = await wire.client.node(clients.raw)
    await body(wire, client, await client.call('connect', wire.server.address, port))
  })
}

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!

/** Waits until the client has received exactly this. */
async function received(client: Talker, id: number, text: string): Promise<void> {
  await expect.poll(async () => (await client.call('state', id)).received, { timeout: 5000, interval: 20 }).toBe(text)
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}`)

describeWith(['linux', 'root', 'netns', 'tun', 'ip', 'koffi'], 'withWire', () => {
  it('gives a round trip of twice the delay, to a millisecond on a machine with nothing else to do', async () => {
    await withEcho(20, async (wire, client, id) => {
      const times: number[] = await client.call('roundTrips', id, 15)
      expect(Math.min(...times)).toBeGreaterThanOrEqual(40)
      // The quickest shows the wire, the others what the machine had to do meanwhile.
      expect(Math.min(...times)).toBeLessThan(42)
      expect(median(times)).toBeLessThan(55)
      const { toServer, toClient } = await wire.counts()
      expect(toServer.late).toBeLessThan(5)
      expect(toClient.late).toBeLessThan(5)
    })
  })

  it('changes the delay of an open connection, also of one direction', async () => {
    await withEcho(1, async (wire, client, id) => {
      await wire.setDelay(30)
      expect(Math.min(...(await client.call('roundTrips', id, 3)))).toBeGreaterThanOrEqual(60)
      await wire.setDelay(0, 'toServer')
      const times: number[] = await client.call('roundTrips', id, 5)
      expect(Math.min(...times)).toBeGreaterThanOrEqual(30)
      expect(Math.min(...times)).toBeLessThan(45)
    })
  })

  it('delivers nothing while cut, and TCP recovers once it is mended', async () => {
    await withEcho(1, async (wire, client, id) => {
      await wire.cut()
      await client.call('send', id, 'hello')
      await sleep(300)
      expect((await client.call('state', id)).received).toBe('')
      const { toServer, toClient } = await wire.counts()
      expect(toServer.dropped).toBeGreaterThan(0)
      expect(toClient.dropped).toBe(0)
      await wire.mend()
      await received(client, id, 'hello')
    })
  })

  it('cuts one direction: the server hears, the client does not', async () => {
    await withEcho(1, async (wire, client, id) => {
      await wire.cut('toClient')
      await client.call('send', id, 'hello')
      await sleep(300)
      expect((await client.call('state', id)).received).toBe('')
      const { toServer, toClient } = await wire.counts()
      expect(toServer.dropped).toBe(0)
      expect(toClient.dropped).toBeGreaterThan(0)
      await wire.mend()
      await received(client, id, 'hello')
    })
  })

  it('cuts one of two addresses, and one of two ports, and leaves the others alone', async () => {
    await withWire({ delay: 1 }, async (wire) => {
      const echo = await Promise.all([1, 2].map(async () => (await wire.server.node(servers.echo)).call('listen')))
      const [port, otherPort]: [number, number] = [echo[0].port, echo[1].port]
      const [address, otherAddress] = wire.server.addresses as [string, string]
      const client = await wire.client.node(clients.raw)
      const ids: number[] = []
      for (const [host, at] of [
        [address, port],
        [address, otherPort],
        [otherAddress, port],
      ] as const)
        ids.push(await client.call('connect', host, at))
      /** Who gets its word back. */
      const answered = async (word: string) => {
        for (const id of ids) await client.call('send', id, word)
        await sleep(150)
        const states = await Promise.all(ids.map((id) => client.call('state', id)))
        return states.map(({ received }: { received: string }) => received.endsWith(word))
      }
      expect(await answered('1')).toEqual([true, true, true])
      await wire.cut('both', { addresses: [otherAddress] })
      expect(await answered('2')).toEqual([true, true, false])
      await wire.mend('both', { addresses: [otherAddress] })
      await received(client, ids[2]!, '12')
      await wire.cut('toClient', { ports: [port] })
      expect(await answered('3')).toEqual([false, true, false])
      await expect(wire.mend('both', { ports: [port] })).rejects.toThrow('Nothing is cut at')
      await wire.mend()
      for (const id of ids) await received(client, id, '123')
    })
  })

  it('loses with a cut what was on its way', async () => {
    await withEcho(150, async (wire, client, id) => {
      // Until the last packet of the handshake has arrived.
      await sleep(200)
      await client.call('send', id, 'hello')
      await sleep(30)
      await wire.cut('toServer')
      expect((await wire.counts()).toServer.dropped).toBe(1)
    })
  })

  it('holds packets back and delivers them in order when it is mended', async () => {
    await withEcho(1, async (wire, client, id) => {
      await wire.hold('toClient')
      await client.call('send', id, 'one ')
      await sleep(50)
      await client.call('send', id, 'two')
      await sleep(100)
      expect((await client.call('state', id)).received).toBe('')
      await wire.mend()
      await received(client, id, 'one two')
      expect((await wire.counts()).toClient.dropped).toBe(0)
    })
  })

  it('drops packets of one kind: without its RST, the client of a reset connection hears nothing', async () => {
    await withWire({ delay: 1 }, async (wire) => {
      const server = await wire.server.node(servers.idle)
      const { ports } = await server.call('listen', { closeAfter: 50, ending: 'reset' })
      const client = await wire.client.node(clients.raw)
      await wire.drop('rst', { direction: 'toClient', count: 1 })
      const [spared, hit] = [
        await client.call('connect', wire.server.address, ports[0]),
        await client.call('connect', wire.server.address, ports[0]),
      ]
      const request = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'
      await client.call('send', spared, request)
      await sleep(200)
      await client.call('send', hit, request)
      await expect.poll(() => client.call('state', hit), { timeout: 2000 }).toMatchObject({ error: 'ECONNRESET' })
      expect(await client.call('state', spared)).toMatchObject({
        closed: false,
        received: expect.stringContaining('ok'),
      })
      const resets = (await wire.trace()).toClient.filter(({ flags }) => flags.includes('R'))
      expect(resets.map(({ lost }) => lost)).toEqual([true, false])
    })
  })

  it('says what it does not know', async () => {
    await withWire({}, async (wire) => {
      await expect(wire.cut('sideways' as 'both')).rejects.toThrow('No direction "sideways"')
      await expect(wire.drop('push' as 'all')).rejects.toThrow('No kind of packets "push"')
      await expect(wire.setDelay(-1)).rejects.toThrow('A delay of -1 ms')
    })
  })

  it('leaves nothing behind, neither namespaces nor programs, also when the body throws', async () => {
    let names: string[] = []
    const pids: number[] = []
    const running = withWire({}, async (wire) => {
      names = [wire.server.namespace, wire.client.namespace]
      expect(namespaces()).toEqual(expect.arrayContaining(names))
      pids.push((await wire.server.node(servers.echo)).pid!, wire.client.spawn('sleep', ['60']).pid!)
      expect(pids.map(isAlive)).toEqual([true, true])
      throw new Error('the test failed')
    })
    await expect(running).rejects.toThrow('the test failed')
    for (const name of names) expect(namespaces()).not.toContain(name)
    expect(pids.map(isAlive)).toEqual([false, false])
  })

  it('leaves nothing behind when the process of the test is killed', async () => {
    const program = `
      import { Wire } from ${JSON.stringify(new URL('./wire.js', import.meta.url).href)}
      const wire = await Wire.start()
      const { pid } = wire.client.spawn('sleep', ['60'])
      console.log(JSON.stringify({ pid, names: [wire.server.namespace, wire.client.namespace] }))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await child.stdout.setEncoding('utf8').take(1).toArray()
    const { pid, names } = JSON.parse(line)
    expect(namespaces()).toEqual(expect.arrayContaining(names))
    child.kill('SIGKILL')
    await expect.poll(() => namespaces().filter((name) => names.includes(name)), { timeout: 5000 }).toEqual([])
    await expect.poll(() => isAlive(pid), { timeout: 2000 }).toBe(false)
  })

  it('shows what a program in a namespace printed, and rejects a call to one that has ended', async () => {
    await withWire({}, async (wire) => {
      const { code, stdout } = await wire.client.run('ip', ['-br', 'addr'])
      expect(code).toBe(0)
      expect(stdout).toContain(wire.client.address)
      const server = await wire.server.node(servers.echo)
      await expect(server.call('dance')).rejects.toThrow('No call "dance"')
      const { port } = await server.call('listen')
      const client = await wire.client.node(clients.raw)
      const unanswered = client.call('roundTrips', await client.call('connect', wire.server.address, port), 1e9)
      client.kill()
      await expect(unanswered).rejects.toThrow('The process has ended (SIGKILL)')
      await expect(client.call('state', 0)).rejects.toThrow('The process has ended')
    })
  })
})
