/** The watch page in a browser: what real pools do, as they do it; and what it does when the process goes. */
import http, { type ServerResponse } from 'node:http'
import net, { type AddressInfo, type Server } from 'node:net'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPool, type Pool } from '../../src/index.js'
import { draw } from '../../src/timeline/draw.js'
import { Timeline } from '../../src/timeline/lanes.js'
import { markup } from '../../src/timeline/shape.js'
import { viewOf } from '../../src/timeline/view.js'
import { type Watch, watch } from '../../src/watch/endpoint.js'
import { describeWith } from '../support/requirements.js'
import { active, close, idle, open, origin, wait } from '../timeline/records.js'
import { lookAt, startBrowser, type Watched } from './browser.js'
import { ScriptedProcess } from './scripted-process.js'

const IDLE_LIMIT = 400

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const sectionOf = (page: Page, of: string): Locator => page.locator(`section[data-origin="${of}"]`)

const gauge = async (section: Locator, name: string): Promise<string | null> =>
  section.locator(`[data-gauge="${name}"] dd`).textContent()

/** Until what is shown is as expected. */
async function shows(read: () => Promise<unknown>, expected: unknown): Promise<void> {
  await expect.poll(read, { timeout: 8_000, interval: 50 }).toEqual(expected)
}

describeWith('chromium', 'the watch page', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser()
  })
  afterAll(() => browser?.close())

  describe('of a process with pools', () => {
    let watched: Watched
    let endpoint: Watch
    let pool: Pool
    /** Answers when it is told to. */
    const held: ServerResponse[] = []
    const slow = http.createServer({ keepAliveTimeout: 0 }, (_, response) => held.push(response))
    /** Advertises nothing, and closes what has idled for a while. */
    const brisk = net.createServer((socket) => {
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')).on('error', () => {})
      socket.setTimeout(IDLE_LIMIT, () => socket.end())
    })
    let origins: { slow: string; brisk: string }
    let learning: Promise<void>

    const get = async (of: string): Promise<string> =>
      (await fetch(of, { dispatcher: pool.dispatcher } as object)).text()

    beforeAll(async () => {
      origins = { slow: await listening(slow), brisk: await listening(brisk) }
      endpoint = await watch()
      pool = createPool({ name: 'shop', maxConnections: 2, keepAliveTimeout: 1_000 })
      const learned = new Promise<void>((resolve) => pool.on('learn', () => resolve()))
      // One close in a second is what teaches: this goes on while the other tests run.
      learning = (async () => {
        for (let round = 0; round < 3; round++) {
          await get(origins.brisk)
          await new Promise((resolve) => setTimeout(resolve, IDLE_LIMIT + 1_100))
        }
        await learned
      })()
      watched = await lookAt(browser, endpoint.url)
    })
    afterAll(async () => {
      await watched?.page.close()
      pool?.destroy()
      await endpoint?.close()
      slow.close()
      brisk.close()
    })

    it('has two connections active, and who waits for one, at a cap of two', async () => {
      const { page } = watched
      const section = sectionOf(page, origins.slow)
      const answers = [get(origins.slow), get(origins.slow), get(origins.slow)]
      await shows(() => gauge(section, 'active'), '2')
      await shows(() => gauge(section, 'waiting'), '1')
      await shows(
        () =>
          section
            .locator('.kw-still')
            .allTextContents()
            .then((texts) => texts.map((text) => text.split(' ')[0])),
        ['active', 'active'],
      )
      expect(await section.locator('.kw-lane .kw-dialling').count()).toBeGreaterThan(0)
      expect(await section.locator('text:has-text("waiting 1")').count()).toBe(1)

      for (const response of held.splice(0)) response.end('ok')
      await expect.poll(() => held.length).toBe(1)
      for (const response of held.splice(0)) response.end('ok')
      await Promise.all(answers)
    })

    it('has the connections idle then, and names them by their ports', async () => {
      const section = sectionOf(watched.page, origins.slow)
      await shows(
        () =>
          section
            .locator('.kw-still')
            .allTextContents()
            .then((texts) => texts.map((text) => text.split(' ')[0])),
        ['idle', 'idle'],
      )
      const names = await section.locator('.kw-name').allTextContents()
      const { port } = new URL(origins.slow)
      expect(names).toHaveLength(2)
      for (const name of names) expect(name).toMatch(new RegExp(`^#\\d+ :\\d+ → 127\\.0\\.0\\.1:${port}$`))
    })

    it('says why they were closed, with one word in the picture and in the table', async () => {
      const section = sectionOf(watched.page, origins.slow)
      await shows(() => section.locator('.kw-end').allTextContents(), ['idle-timeout', 'idle-timeout'])
      await shows(
        () => section.getByRole('table', { name: 'Closed connections' }).locator('tbody tr').allTextContents(),
        ['idle-timeout2'],
      )
      await shows(() => gauge(section, 'idle'), '0')
    })

    it('stands still when it is told to, and goes on again', async () => {
      const { page } = watched
      const section = sectionOf(page, origins.brisk)
      const pause = page.getByRole('button', { name: 'Pause' })
      const picture = (): Promise<string> => section.locator('.picture').innerHTML()
      await pause.click()
      expect(await pause.getAttribute('aria-pressed')).toBe('true')
      const before = await picture()
      await new Promise((resolve) => setTimeout(resolve, 600))
      await page.getByRole('button', { name: '10 min' }).click()
      expect(await picture()).not.toBe(before)
      await page.getByRole('button', { name: '60 s' }).click()
      expect(await picture()).toBe(before)
      await pause.click()
      await expect.poll(picture).not.toBe(before)
    })

    it.each([
      ['10 s', '-10 s'],
      ['10 min', '-10 min'],
      ['60 s', '-60 s'],
    ])('shows the last %s', async (name, first) => {
      const { page } = watched
      const button = page.getByRole('button', { name, exact: true })
      await button.click()
      expect(await button.getAttribute('aria-pressed')).toBe('true')
      expect(await page.getByRole('button', { pressed: true }).count()).toBe(1)
      const axis = sectionOf(page, origins.brisk).locator('.kw-axis text')
      expect(await axis.allTextContents()).toContain(first)
    })

    it('shows what was learned, with its mark and its number', async () => {
      await learning
      const section = sectionOf(watched.page, origins.brisk)
      await shows(() => section.locator('.kw-mark-learn').count(), 1)
      const [words] = await section.locator('.kw-mark-learn text').allTextContents()
      const [row] = await section
        .getByRole('table', { name: 'Learned idle timeouts' })
        .locator('tbody tr')
        .allTextContents()
      const time = Number(/^learned (\d+) ms$/.exec(words ?? '')?.[1])
      expect(time).toBeGreaterThan(IDLE_LIMIT - 50)
      expect(time).toBeLessThan(IDLE_LIMIT + 200)
      expect(row).toBe(`127.0.0.1${time} ms`)
      await shows(() => section.locator('.kw-end').allTextContents(), ['server-fin', 'server-fin', 'server-fin'])
    })

    it('asks its endpoint alone, and gives the browser nothing to complain about', () => {
      expect(watched.complaints).toEqual([])
      expect([...watched.asked].filter((url) => !url.startsWith(endpoint.url) && url !== 'data:,')).toEqual([])
    })
  })

  describe('of a process that is scripted', () => {
    let scripted: ScriptedProcess
    let watched: Watched
    const status = (): Promise<string | null> => watched.page.getByRole('status').textContent()
    const lanes = (): Promise<string[]> => watched.page.locator('.kw-name').allTextContents()
    const begin = async (): Promise<void> => {
      watched = await lookAt(browser, scripted.url)
      await shows(status, 'Live process 42, scripted')
    }

    beforeAll(() => {
      scripted = new ScriptedProcess()
      return scripted.start()
    })
    afterAll(() => scripted.stop())

    it('misses nothing that happens between the stream and the state, and takes nothing twice', async () => {
      const now = Date.now()
      const left = { time: now - 500, pool: { id: 1, name: 'default' }, event: 'left', origin } as const
      scripted.records = [wait(now - 2_000, 3)]
      scripted.whenAsked = () => scripted.tell(wait(now - 1_500, 4), left)
      scripted.whenAnswered = () => scripted.tell(idle(now, 1))
      await begin()
      scripted.whenAsked = scripted.whenAnswered = () => {}
      await shows(() => watched.page.locator('text:has-text("waiting 3")').count(), 1)
      scripted.tell({ ...left, time: Date.now() })
      await shows(() => watched.page.locator('text:has-text("waiting 2")').count(), 1)
      await shows(lanes, ['#1 :40001 → 127.0.0.1:8080'])
    })

    it('says that the process is gone, stands still, and begins anew with the next one', async () => {
      await scripted.stop()
      await shows(status, 'Disconnected, trying again process 42, scripted')
      const picture = (): Promise<string> => watched.page.locator('section .picture').innerHTML()
      const before = await picture()
      await new Promise((resolve) => setTimeout(resolve, 300))
      await watched.page.getByRole('button', { name: '10 s' }).click()
      await watched.page.getByRole('button', { name: '60 s' }).click()
      expect(await picture()).toBe(before)

      scripted.records = []
      scripted.open = [idle(Date.now() - 3_000_000, 7)]
      scripted.startedAt = 2
      await scripted.start()
      await shows(status, 'Live process 42, scripted')
      await shows(lanes, ['#7 :40007 → 127.0.0.1:8080'])
      scripted.tell(close(Date.now(), 7, 'max-lifetime', { age: 3_000_000, idle: 3_000_000 }))
      await shows(() => watched.page.locator('.kw-end').allTextContents(), ['max-lifetime'])
      expect(watched.complaints).toEqual([])
      await watched.page.close()
    })

    it('stays at hand with a thousand connections that are busy', async () => {
      const now = Date.now()
      scripted.open = []
      scripted.records = Array.from({ length: 1_000 }, (_, index) => open(now - 5_000 + index, index + 1, index + 1, 2))
      await begin()
      const { page } = watched
      let id = 0
      const busy = setInterval(() => {
        for (let count = 0; count < 100; count++) {
          id = (id % 1_000) + 1
          scripted.tell(id % 2 ? active(Date.now(), id) : idle(Date.now(), id))
        }
      }, 50)
      try {
        await shows(
          () => page.locator('text:has-text("lanes left out")').textContent(),
          '920 lanes left out: the 80 that were opened last are drawn',
        )
        expect(await page.locator('.kw-lane').count()).toBe(80)
        const frames =
          'new Promise((done) => { let count = 0; const end = performance.now() + 1000; requestAnimationFrame(function next(now) { count++; now < end ? requestAnimationFrame(next) : done(count) }) })'
        expect(await page.evaluate<number>(frames)).toBeGreaterThan(5)
        await page.getByRole('button', { name: 'Pause' }).click()
        expect(await page.getByRole('button', { name: 'Pause' }).getAttribute('aria-pressed')).toBe('true')
      } finally {
        clearInterval(busy)
      }
      expect(watched.complaints).toEqual([])
      await page.close()
    })

    it('shows names as they are, and runs nothing that is in them', async () => {
      const evil = 'http://<img src=x onerror=alert(1)></script>"&.example'
      const told = idle(Date.now(), 1, { origin: evil, remoteAddress: '<b>bold</b>' })
      scripted.records = [{ ...told, pool: { id: 1, name: '<script>alert(2)</script>' } }]
      await begin()
      const { page } = watched
      await shows(() => page.getByRole('heading', { level: 2 }).textContent(), evil)
      expect(await page.locator('section img, section script, section b').count()).toBe(0)
      const timeline = new Timeline()
      for (const record of scripted.records) timeline.apply(record)
      const file = JSON.stringify(markup(draw(viewOf(timeline))))
      const read = `new DOMParser().parseFromString(${file}, 'image/svg+xml').querySelector('parsererror, script, img')?.outerHTML ?? 'well'`
      const other = await browser.newPage()
      expect(await other.evaluate(read)).toBe('well')
      await other.close()
      expect(watched.complaints).toEqual([])
    })

    it('is light and dark as the reader has it', async () => {
      const { page } = watched
      const colours = async (scheme: 'light' | 'dark'): Promise<unknown> => {
        await page.emulateMedia({ colorScheme: scheme })
        return page.evaluate(
          `['body', '.kw-idle', '.kw text'].map((of) => getComputedStyle(document.querySelector(of))).flatMap((of) => [of.backgroundColor, of.fill])`,
        )
      }
      const [light, dark] = [await colours('light'), await colours('dark')]
      expect(light).toEqual([
        'rgb(255, 255, 255)',
        'rgb(0, 0, 0)',
        'rgba(0, 0, 0, 0)',
        'rgb(140, 197, 232)',
        'rgba(0, 0, 0, 0)',
        'rgb(31, 41, 55)',
      ])
      expect(dark).toEqual([
        'rgb(17, 22, 31)',
        'rgb(0, 0, 0)',
        'rgba(0, 0, 0, 0)',
        'rgb(51, 104, 140)',
        'rgba(0, 0, 0, 0)',
        'rgb(230, 233, 238)',
      ])
      await page.close()
    })
  })
})
