/**
 * Chromium without a head, started once for a file of tests, and pages of the watch page in it that fail on whatever the browser
 * complains about: the content security policy among it.
 */
import { type Browser, chromium, type Page } from 'playwright-core'
import { requireCommand } from '../support/commands.js'

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: requireCommand('chromium'),
    args: [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  })

export interface Watched {
  readonly page: Page
  /** What the browser complained about; a connection that is refused while the process is gone is none of it. */
  readonly complaints: string[]
  /** Addresses that were asked for. */
  readonly asked: Set<string>
}

export async function lookAt(browser: Browser, url: string): Promise<Watched> {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 900 } })
  page.setDefaultTimeout(10_000)
  const complaints: string[] = []
  const asked = new Set<string>()
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' && !/net::ERR_/.test(message.text())) complaints.push(message.text())
  })
  page.on('request', (request) => asked.add(request.url()))
  await page.goto(url)
  return { page, complaints, asked }
}
