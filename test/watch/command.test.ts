/** `keepwise watch`: what it prints and writes, and how it ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { CommanderError } from 'commander'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { watchCommand } from '../../src/cli/watch.js'
import { parse } from '../../src/timeline/parse.js'
import { builtPackage, until } from '../dispatcher/support.js'
import { projectPath } from '../support/nodes.js'
import { PoolRig } from '../support/pool-rig.js'
import { testWatch } from './support.js'

/** A stream that keeps what it is given. */
class Kept extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.text += chunk
    done()
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }
}

/** The command, under way until the test is over. */
class Running {
  readonly stderr = new Kept()
  readonly #controller = new AbortController()
  /** Resolves when it has ended; with its error, if it failed. */
  readonly ended: Promise<CommanderError | undefined>

  constructor(
    args: readonly string[],
    readonly stdout = new Kept(),
  ) {
    const { stderr } = this
    const command = watchCommand({ stdout, stderr, signal: this.#controller.signal })
    command.exitOverride().configureOutput({ writeErr: (text) => void stderr.write(text) })
    this.ended = command.parseAsync(args, { from: 'user' }).then(
      () => undefined,
      (error: CommanderError) => error,
    )
    onTestFinished(() => this.interrupt())
  }

  async interrupt(): Promise<void> {
    this.#controller.abort()
    await this.ended
  }
}

function temporaryFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'keepwise-watch-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'log.ndjson')
}

/** A pool that does something when it is told to, and an endpoint that shows it. */
async function scene(): Promise<{ url: string; act: () => void }> {
  const rig = new PoolRig({ name: 'api' })
  const { url } = await testWatch()
  const [connection] = await rig.idle(1)
  return {
    url,
    act: () => {
      rig.acquire()
      rig.release(connection!)
    },
  }
}

const TIME = /^\d\d:\d\d:\d\d\.\d{3} /

describe('keepwise watch', () => {
  it('prints a line for each thing that happens, with its time', async () => {
    const { url, act } = await scene()
    const running = new Running([url, '--lines', '2'])
    await until(() => running.stdout.lines.length === 2)
    act()
    await until(() => running.stdout.lines.length === 4)
    expect(running.stdout.lines.every((line) => TIME.test(line))).toBe(true)
    expect(running.stdout.lines.map((line) => line.replace(TIME, '').replace(/^api\S*/, 'api'))).toEqual([
      'api #1 http://a active new, request 1, waited 0 ms',
      'api #1 http://a idle, 1 request',
      'api #1 http://a active reused, request 2',
      'api #1 http://a idle, 2 requests',
    ])
    expect(running.stderr.text).toMatch(new RegExp(`^keepwise: watching process ${process.pid} \\(.*\\), pools: .*\n$`))
    await running.interrupt()
    expect(await running.ended).toBeUndefined()
  })

  it('begins with ten earlier records, if nothing else is asked for', async () => {
    const { url, act } = await scene()
    for (let more = 0; more < 10; more++) act()
    const running = new Running([url])
    await until(() => running.stdout.lines.length === 10)
    act()
    await until(() => running.stdout.lines.length === 12)
  })

  it('prints JSON, and writes a log that can be read, a second one behind the first', async () => {
    const { url, act } = await scene()
    const file = temporaryFile()
    for (const count of [1, 2]) {
      const running = new Running([url, '--json', '-n', '3', '--log', file])
      await until(() => running.stdout.lines.length === 3)
      act()
      await until(() => running.stdout.lines.length === 5)
      await running.interrupt()
      const { records, reader } = parse(readFileSync(file, 'utf8'))
      expect(reader.bad).toBe(0)
      expect(records).toHaveLength(5 * count)
      expect(records.slice(-5)).toEqual(running.stdout.lines.map((line) => JSON.parse(line)))
    }
  })

  it('takes an address without its last slash', async () => {
    const { url } = await scene()
    const running = new Running([url.replace(/\/$/, '')])
    await until(() => running.stdout.lines.length === 5)
  })

  it('says when the process goes away, and that it tries again', async () => {
    const rig = new PoolRig()
    const endpoint = await testWatch()
    await rig.idle(1)
    const running = new Running([endpoint.url])
    await until(() => running.stdout.lines.length === 5)
    await endpoint.close()
    await until(() => running.stderr.lines.length === 2)
    expect(running.stderr.lines[1]).toBe('keepwise: lost it: the process has gone; trying again in 250 ms')
    const { port, pathname } = new URL(endpoint.url)
    await testWatch({ port: Number(port), token: pathname.slice(1, -1) })
    await until(() => running.stderr.lines.length === 3)
    expect(running.stderr.lines[2]).toContain(`keepwise: again process ${process.pid} `)
  })

  it('ends when nobody reads what it prints', async () => {
    const { url } = await scene()
    const closed = new (class extends Kept {
      override _write(_chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
        done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
      }
    })()
    const running = new Running([url], closed)
    expect(await running.ended).toBeUndefined()
  })

  it('fails where the log cannot be written', async () => {
    const { url } = await scene()
    const running = new Running([url, '--log', '/nowhere/at/all.ndjson'])
    expect(await running.ended).toMatchObject({ exitCode: 1 })
    expect(running.stderr.text).toContain('error: ENOENT')
  })

  it('fails where there is no endpoint, with one line', async () => {
    const endpoint = await testWatch()
    await endpoint.close()
    const running = new Running([endpoint.url])
    expect(await running.ended).toBeInstanceOf(CommanderError)
    expect(running.stderr.text).toMatch(/^error: connect ECONNREFUSED 127\.0\.0\.1:\d+\n$/)
  })

  it.each([
    [['not-an-address'], 'Expected an address like'],
    [['https://127.0.0.1:1/x/'], 'Expected an address like'],
    [[], "missing required argument 'url'"],
    [['http://127.0.0.1:1/x/', '--lines', '-1'], 'Expected a whole number'],
    [['http://127.0.0.1:1/x/', '--lnes', '1'], '(Did you mean --lines?)'],
  ])('does not take %j', async (args, message) => {
    const running = new Running(args)
    expect(await running.ended).toBeInstanceOf(CommanderError)
    expect(running.stderr.text).toContain(message)
  })
})

describe('the command, as installed', () => {
  beforeAll(builtPackage)

  const run = (...args: string[]) => {
    const child = spawn(process.execPath, [projectPath('dist/cli.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const output = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
    return { child, output, ended: once(child, 'close') as Promise<[number | null, string | null]> }
  }

  it.each(['SIGINT', 'SIGTERM'] as const)('ends with 0, its log written, at %s', async (signal) => {
    const { url, act } = await scene()
    const file = temporaryFile()
    const { child, output, ended } = run('watch', url, '--log', file)
    await until(() => output.stdout.split('\n').length === 6, 10_000)
    act()
    await until(() => output.stdout.split('\n').length === 8)
    child.kill(signal)
    expect(await ended).toEqual([0, null])
    expect(output.stderr.split('\n')).toHaveLength(2)
    expect(parse(readFileSync(file, 'utf8')).records).toHaveLength(7)
  })

  it('has a version, and help that names its parts', async () => {
    const [version, help] = [run('--version'), run('--help')]
    await Promise.all([version.ended, help.ended])
    const manifest = JSON.parse(readFileSync(projectPath('package.json'), 'utf8'))
    expect(version.output.stdout).toBe(`${manifest.version}\n`)
    for (const name of ['doctor', 'watch', 'timeline'])
      expect(help.output.stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'))
  })

  it('says what was probably meant, and fails', async () => {
    const { output, ended } = run('wach')
    expect((await ended)[0]).toBe(1)
    expect(output.stderr).toBe("error: unknown command 'wach'\n(Did you mean watch?)\n")
  })
})
