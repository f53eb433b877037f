/** docs/errors.md has every class, code and field, and callers get what its table says: each row is provoked. */
import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { request, stream, errors as undiciErrors } from 'undici'
import { beforeAll, describe, expect, it } from 'vitest'
import type { PoolOptions } from '../../src/index.js'
import * as keepwise from '../../src/index.js'
import { type RunningServer, withServer } from '../support/servers/node.js'
import { code, Page } from './markdown.js'
import { aliasStrings, classFields, interfaceNames } from './source.js'

const page = new Page('docs/errors.md')
const classRows = page.table('Classes', 'Class')
const classes = Object.values(keepwise).filter(
  (value): value is typeof keepwise.OptionError =>
    typeof value === 'function' && value.prototype instanceof keepwise.KeepwiseError,
)

describe('the table of error classes', () => {
  it('lists every class that is exported', () => {
    expect(classRows.map((row) => code(row.Class)).sort()).toEqual(classes.map(({ name }) => name).sort())
  })

  it('lists every code', () => {
    expect(classRows.map((row) => code(row.Code))).toEqual(aliasStrings('errors.ts', 'KeepwiseErrorCode'))
  })

  it.each(classRows.map((row) => [code(row.Class), row]))(
    'says of %s when it is thrown and what to do',
    (_name, row) => {
      expect(row['Thrown when']).not.toBe('')
      expect(row['What to do']).not.toBe('')
    },
  )

  it.each(classRows.map((row) => [code(row.Class), row.Class as string]))('links %s to its section', (name, cell) => {
    expect(cell).toContain(`(#${name.toLowerCase()})`)
    expect(page.section(name)).not.toBe('')
  })

  it.each(classes.map(({ name }) => name))('lists the fields of %s', (name) => {
    const fields = classFields('errors.ts', name).filter((field) => field !== 'name')
    const tables = page.tables(name).filter(([row]) => row !== undefined && 'Field' in row)
    expect(tables.flatMap((rows) => rows.map((row) => code(row.Field)))).toEqual(fields)
  })

  it('lists every reason for which a request is not sent again', () => {
    const listed = page.table('Why it was not sent again', 'Refusal').map((row) => code(row.Refusal))
    expect(listed).toEqual(aliasStrings('replay/permission.ts', 'ReplayRefusal'))
  })

  it('lists the fields of the origin state', () => {
    const listed = page.table('Origin state', 'Field').map((row) => code(row.Field))
    expect(listed).toEqual(interfaceNames('errors.ts', 'OriginState'))
  })
})

/** A caller's view of a failure: its code (or its name, if it has none), and its cause's class or code. */
interface Failure {
  readonly error: NodeJS.ErrnoException
  readonly cause: (Error & { code?: string }) | undefined
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  try {
    await work
  } catch (error) {
    const { cause } = error as Error
    return { error: error as NodeJS.ErrnoException, cause: cause as Failure['cause'] }
  }
  throw new Error('it did not fail')
}

/** Runs with a pool against a server whose paths are ways to fail. */
function withPool<T>(
  options: PoolOptions,
  body: (pool: keepwise.Pool, server: RunningServer) => Promise<T>,
): Promise<T> {
  const answer: Record<string, (socket: net.Socket) => void> = {
    '/closes': (socket) => socket.end(),
    '/resets': (socket) => socket.resetAndDestroy(),
    '/hangs': () => {},
    '/stalls': (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx'),
    '/breaks': (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx'),
    '/babbles': (socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'),
  }
  return withServer(
    (incoming, response) => {
      const fail = answer[incoming.url ?? '']
      if (fail === undefined) response.end('ok')
      else fail(incoming.socket)
    },
    async (server) => {
      const pool = keepwise.createPool(options)
      try {
        return await body(pool, server)
      } finally {
        pool.destroy()
      }
    },
  )
}

const fails = (path: string, options: PoolOptions = {}, method: 'GET' | 'POST' = 'GET'): Promise<Failure> =>
  withPool(options, (pool, { origin }) =>
    failureOf(request(origin + path, { method, dispatcher: pool.dispatcher }).then(({ body }) => body.text())),
  )

/**
 * Has the kernel give up the peer of the next connection that is opened by this process, as far as its owner can tell: its socket
 * is destroyed with what the kernel would say. That peers are really found dead is seen on wires (test/wire/dead-cut).
 */
function nextPeerDies(code: string): void {
  const channel = diagnostics.channel('net.client.socket')
  const opened = (message: unknown): void => {
    channel.unsubscribe(opened)
    const { socket } = message as { socket: net.Socket }
    const error = Object.assign(new Error(`read ${code}`), { code, syscall: 'read' })
    socket.once('connect', () => setTimeout(() => socket.destroy(error), 50))
  }
  channel.subscribe(opened)
}

/** Accepts connections and never says a word: a TLS handshake with it does not end. */
async function muteServer(port = 0): Promise<net.Server> {
  const server = net.createServer((socket) => socket.on('error', () => {})).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = await muteServer()
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Sends a request whose peer dies, and to which no other connection can be opened. */
async function withoutWayBack(send: (url: string, pool: keepwise.Pool) => Promise<unknown>): Promise<Failure> {
  await using pool = keepwise.createPool()
  const server = await muteServer()
  server.once('connection', () => server.close())
  nextPeerDies('ETIMEDOUT')
  return failureOf(send(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, pool))
}

async function refused(): Promise<Failure> {
  const url = `http://127.0.0.1:${await closedPort()}`
  return failureOf(request(url, { dispatcher: keepwise.createPool().dispatcher }))
}

async function connectTimeout(): Promise<Failure> {
  const server = await muteServer()
  const pool = keepwise.createPool({ connect: { timeout: 100 } })
  try {
    const { port } = server.address() as AddressInfo
    return await failureOf(request(`https://127.0.0.1:${port}`, { dispatcher: pool.dispatcher }))
  } finally {
    server.close()
  }
}

/** One request holds the only connection, others wait for it. */
function crowded(options: PoolOptions, others: number): Promise<Failure> {
  return withPool({ maxConnections: 1, ...options }, async (pool, { origin }) => {
    const send = () => request(`${origin}/hangs`, { dispatcher: pool.dispatcher })
    const requests = Array.from({ length: 1 + others }, send)
    const failure = failureOf(requests.pop() as Promise<unknown>)
    for (const each of requests) each.catch(() => {}) // they end with the pool
    return failure
  })
}

async function closed(): Promise<Failure> {
  const pool = keepwise.createPool()
  const closing = pool.close()
  const failure = failureOf(request('http://127.0.0.1', { dispatcher: pool.dispatcher }))
  await closing
  return failure
}

/** undici looks at its timers once a second: what takes one of them is provoked once, for all who want to see it. */
function remembered(provoked: () => Promise<Failure>): () => Promise<Failure> {
  let failure: Promise<Failure> | undefined
  return () => (failure ??= provoked())
}

const timeouts = {
  connect: remembered(connectTimeout),
  headers: remembered(() => fails('/hangs', { headersTimeout: 100 })),
  body: remembered(() => fails('/stalls', { bodyTimeout: 100 })),
}

// All at once, before any of them is asked for.
beforeAll(async () => {
  await Promise.all(Object.values(timeouts).map((provoked) => provoked()))
})

const provoke: Readonly<Record<string, () => Promise<Failure>>> = {
  ECONNREFUSED: refused,
  UND_ERR_CONNECT_TIMEOUT: timeouts.connect,
  UND_ERR_SOCKET: () => fails('/closes'),
  ECONNRESET: () => fails('/resets'),
  UND_ERR_HEADERS_TIMEOUT: timeouts.headers,
  UND_ERR_BODY_TIMEOUT: timeouts.body,
  HTTPParserError: () => fails('/babbles'),
  ERR_KEEPWISE_PEER_DEAD: () => {
    nextPeerDies('ETIMEDOUT')
    return fails('/hangs', {}, 'POST')
  },
  ERR_KEEPWISE_ACQUIRE_TIMEOUT: () => crowded({ acquireTimeout: 50 }, 1),
  ERR_KEEPWISE_QUEUE_FULL: () => crowded({ maxWaiting: 1 }, 2),
  ERR_KEEPWISE_CLOSED: closed,
}

describe('the table of what the caller sees', () => {
  const rows = page.table('What the caller sees', 'The caller gets')

  it('has a row for each failure that is provoked here, with its mend', () => {
    expect(rows.map((row) => code(row['The caller gets']))).toEqual(Object.keys(provoke))
    for (const row of rows) expect(row['What to do'], row['The caller gets']).not.toBe('')
  })

  it.each(rows.map((row) => [code(row['The caller gets']), row['Its cause'] as string]))(
    '%s has the cause: %s',
    async (name, written) => {
      const { error, cause } = await (provoke[name] as () => Promise<Failure>)()
      expect(error.code ?? error.name).toBe(name)
      const names = [...written.matchAll(/`([^`]*)`/g)].map((match) => match[1])
      if (names.length === 0) expect(cause).toBeUndefined()
      else expect(names).toContain(cause instanceof keepwise.KeepwiseError ? cause.name : cause?.code)
    },
  )

  it('has the last connect error as the cause of an acquire timeout', async () => {
    const pool = keepwise.createPool({ acquireTimeout: 50 })
    const port = await closedPort()
    const send = () => failureOf(request(`https://127.0.0.1:${port}`, { dispatcher: pool.dispatcher }))
    const first = await send()
    expect(first.error.code).toBe('ECONNREFUSED')
    const mute = await muteServer(port) // now the handshake does not end, and nothing else fails
    try {
      expect(await send()).toMatchObject({ error: { code: 'ERR_KEEPWISE_ACQUIRE_TIMEOUT' }, cause: first.error })
    } finally {
      pool.destroy()
      mute.close()
    }
  })

  it('says what else a dead peer may have said', async () => {
    for (const code of ['EHOSTUNREACH', 'ENETUNREACH']) {
      nextPeerDies(code)
      const { error, cause } = await fails('/hangs', {}, 'POST')
      expect([error.name, cause?.code]).toEqual(['PeerDeadError', code])
      expect((error as keepwise.PeerDeadError).peer).toMatchObject({ cause: 'unreachable', doing: 'waiting' })
    }
  })

  it('says that part of a response does not change the error of a dead peer', async () => {
    nextPeerDies('ETIMEDOUT')
    const { error } = await fails('/stalls')
    expect(error).toMatchObject({ code: 'ERR_KEEPWISE_PEER_DEAD', refusal: 'response-begun' })
  })

  it('says that there may have been no new connection to send it again', async () => {
    const { error, cause } = await withoutWayBack((url, { dispatcher }) => request(url, { dispatcher }))
    expect(error).toMatchObject({ code: 'ERR_KEEPWISE_PEER_DEAD', refusal: 'unreachable' })
    expect(cause?.code).toBe('ETIMEDOUT')
  })

  it('says what fetch makes of it: a TypeError around the same error', async () => {
    const { error, cause } = await withPool({}, (pool, { origin }) =>
      failureOf(fetch(`${origin}/resets`, { dispatcher: pool.dispatcher })),
    )
    expect([error.name, error.message, cause?.code]).toEqual(['TypeError', 'fetch failed', 'ECONNRESET'])
    expect(cause?.cause).toBeInstanceOf(keepwise.ConnectionError)
  })

  it('says that an abort reason is left alone', async () => {
    const reason = new Error('mine')
    const { error } = await withPool({}, (pool, { origin }) => {
      const controller = new AbortController()
      setTimeout(() => controller.abort(reason), 50)
      return failureOf(request(`${origin}/hangs`, { dispatcher: pool.dispatcher, signal: controller.signal }))
    })
    expect(error).toBe(reason)
    expect(error.cause).toBeUndefined()
  })

  it('says that destroy(error) fails requests with that error', async () => {
    const reason = new Error('mine')
    const { error } = await withPool({}, (pool, { origin }) => {
      setTimeout(() => pool.destroy(reason), 50)
      return failureOf(request(`${origin}/hangs`, { dispatcher: pool.dispatcher }))
    })
    expect(error).toBe(reason)
  })
})

describe('the table of what comes through the agents', () => {
  const rows = page.table('Through the agents', 'Over an agent')

  /** The whole response, or the failure of the request or of the response. */
  const answer = async (request: ClientRequest): Promise<void> => {
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    for await (const _ of response);
  }

  const overAgent = (path: string, options: PoolOptions = {}): Promise<Failure> =>
    withPool(options, (pool, { origin }) => failureOf(answer(http.get(origin + path, { agent: pool.httpAgent }))))

  /** One request holds the only connection, others wait for it. */
  const crowded = (options: PoolOptions, others: number): Promise<Failure> =>
    withPool({ maxConnections: 1, ...options }, async (pool, { origin }) => {
      const send = () => http.get(`${origin}/hangs`, { agent: pool.httpAgent }).on('error', () => {})
      const requests = Array.from({ length: 1 + others }, send)
      return failureOf(answer(requests.at(-1) as ClientRequest))
    })

  const viaTls = async (port: number, options: PoolOptions = {}): Promise<Failure> => {
    const pool = keepwise.createPool(options)
    try {
      return await failureOf(answer(https.get({ host: '127.0.0.1', port, agent: pool.httpsAgent })))
    } finally {
      pool.destroy()
    }
  }

  const provokeOverAgent: Readonly<Record<string, () => Promise<Failure>>> = {
    ECONNREFUSED: async () => viaTls(await closedPort()),
    ETIMEDOUT: async () => {
      const server = await muteServer()
      try {
        return await viaTls((server.address() as AddressInfo).port, { connect: { timeout: 100 } })
      } finally {
        server.close()
      }
    },
    EPROTO: () => withServer({}, ({ port }) => viaTls(port)),
    ECONNRESET: () => overAgent('/closes'),
    ERR_KEEPWISE_ACQUIRE_TIMEOUT: () => crowded({ acquireTimeout: 50 }, 1),
    ERR_KEEPWISE_QUEUE_FULL: () => crowded({ maxWaiting: 1 }, 2),
    ERR_KEEPWISE_CLOSED: () =>
      withPool({}, (pool, { origin }) => {
        setTimeout(() => pool.destroy(), 50)
        return failureOf(answer(http.get(`${origin}/hangs`, { agent: pool.httpAgent })))
      }),
  }

  it('has a row for each failure that is provoked here, with its mend', () => {
    expect(rows.map((row) => code(row['Over an agent']))).toEqual(Object.keys(provokeOverAgent))
    for (const row of rows) expect(row['What to do'], row['Over an agent']).not.toBe('')
  })

  it.each(rows.map((row) => [code(row['Over an agent']), row['Its cause'] as string]))(
    '%s has the cause: %s',
    async (name, written) => {
      const { error, cause } = await (provokeOverAgent[name] as () => Promise<Failure>)()
      expect(error.code).toBe(name)
      const names = [...written.matchAll(/`([^`]*)`/g)].map((match) => match[1])
      if (names.length === 0) expect(cause).toBeUndefined()
      else expect(names).toContain(cause instanceof keepwise.KeepwiseError ? cause.name : cause?.code)
    },
  )

  it('says that a reset is one as well', async () => {
    const { error, cause } = await overAgent('/resets')
    expect([error.code, cause?.name]).toEqual(['ECONNRESET', 'ConnectionError'])
  })

  /** A request that must not be sent again. */
  const post = (url: string, agent: http.Agent): Promise<void> =>
    answer(http.request(url, { agent, method: 'POST' }).end())

  it('says that a peer was found dead under a request', async () => {
    for (const code of ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']) {
      nextPeerDies(code)
      const { error, cause } = await withPool({}, (pool, { origin }) =>
        failureOf(post(`${origin}/hangs`, pool.httpAgent)),
      )
      expect([error.code, cause?.name]).toEqual([code, 'PeerDeadError'])
    }
  })

  it('says that a peer was found dead under a response', async () => {
    nextPeerDies('ETIMEDOUT')
    const failures = await withPool({}, async (pool, { origin }) => {
      const request = http.get(`${origin}/stalls`, { agent: pool.httpAgent })
      const failed = failureOf(once(request, 'close')) // rejects with its 'error'
      return [await failureOf(answer(request)), await failed]
    })
    const [response, request] = failures
    expect([response?.error.code, response?.error.message]).toEqual(['ECONNRESET', 'aborted'])
    expect(request).toMatchObject({ error: { code: 'ETIMEDOUT' }, cause: { name: 'PeerDeadError' } })
    expect(request?.cause).toMatchObject({ refusal: 'response-begun' })
  })

  it('says that there may have been no new connection to send it again', async () => {
    const { error, cause } = await withoutWayBack((url, { httpAgent }) => answer(http.get(url, { agent: httpAgent })))
    expect(error.code).toBe('ETIMEDOUT')
    expect(cause).toMatchObject({ name: 'PeerDeadError', refusal: 'unreachable' })
  })

  it('says that a pool that was closed before gives no cause', async () => {
    const { error, cause } = await withPool({}, async (pool, { origin }) => {
      await pool.close()
      return failureOf(answer(http.get(origin, { agent: pool.httpAgent })))
    })
    expect([error.code, cause]).toEqual(['ERR_KEEPWISE_CLOSED', undefined])
  })

  it('says that what comes once a response has begun is node’s alone', async () => {
    const broken = await withServer(
      (_request, response) => {
        response.writeHead(200, { 'content-length': 9 }).write('x', () => response.destroy())
      },
      async ({ origin }) => {
        await using pool = keepwise.createPool()
        return failureOf(answer(http.get(origin, { agent: pool.httpAgent })))
      },
    )
    expect([broken.error.code, broken.error.message, broken.cause]).toEqual(['ECONNRESET', 'aborted', undefined])
    const babble = await overAgent('/babbles')
    expect([babble.error.code, babble.cause]).toEqual(['HPE_INVALID_CONSTANT', undefined])
  })

  it('says that a request whose caller has ended it gets what node gives it', async () => {
    const ways: ((request: ClientRequest, agent: http.Agent) => void)[] = [
      (request) => request.destroy(),
      (request) => request.abort(),
      (_request, agent) => agent.destroy(),
    ]
    for (const end of ways) {
      const { error, cause } = await withPool({}, async (pool, { origin }) => {
        const request = http.get(`${origin}/hangs`, { agent: pool.httpAgent })
        setTimeout(() => end(request, pool.httpAgent), 50)
        return failureOf(answer(request))
      })
      expect([error.code, error.message, cause]).toEqual(['ECONNRESET', 'socket hang up', undefined])
    }
  })
})

describe('the table of the other codes of undici', () => {
  const rows = page.table('The other codes of undici', 'Code')

  it('has those that undici has, and are in no other table', () => {
    const named = page.table('What the caller sees', 'The caller gets').map((row) => code(row['The caller gets']))
    // Some of their constructors take objects.
    const classes = Object.values(undiciErrors) as unknown as (new (...given: object[]) => { code?: string })[]
    const codes = classes.map((Class) => String(new Class({}, {}, {}).code))
    const theirs = codes.filter((each) => each.startsWith('UND_ERR_') && !named.includes(each))
    expect(theirs.length).toBeGreaterThan(10)
    expect(rows.map((row) => code(row.Code)).sort()).toEqual([...new Set(theirs)].sort())
  })

  it('says of each but those that never come what to do', () => {
    for (const row of rows) expect(row['What to do'] === '', row.Code).toBe(row.When?.startsWith('Never'))
  })

  type Options = NonNullable<Parameters<typeof request>[1]>
  const sent = (options: Options): Promise<Failure> =>
    withPool({}, ({ dispatcher }, { origin }) => failureOf(request(origin, { ...options, dispatcher })))

  const provokeOther: Readonly<Record<string, () => Promise<Failure>>> = {
    UND_ERR_INVALID_ARG: () => sent({ headers: { 'x y': '1' } }),
    UND_ERR_INVALID_RETURN_VALUE: () =>
      withPool({}, ({ dispatcher }, { origin }) =>
        failureOf(stream(origin, { dispatcher, method: 'GET' }, () => 5 as never)),
      ),
    UND_ERR_NOT_SUPPORTED: () => sent({ headers: { expect: '100-continue' } }),
    UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: () =>
      sent({ method: 'POST', headers: { 'content-length': '9' }, body: 'short' }),
    UND_ERR_HEADERS_OVERFLOW: () =>
      withServer(
        (_request, response) => void response.writeHead(200, { 'x-long': 'x'.repeat(20_000) }).end(),
        async ({ origin }) => {
          await using pool = keepwise.createPool()
          return await failureOf(request(origin, { dispatcher: pool.dispatcher }))
        },
      ),
    UND_ERR_ABORTED: () =>
      withPool({}, async ({ dispatcher }, { origin }) => {
        const { body } = await request(`${origin}/stalls`, { dispatcher })
        body.destroy()
        return await failureOf(once(body, 'end'))
      }),
  }

  it.each(Object.keys(provokeOther))('has %s, which comes', async (name) => {
    expect(rows.map((row) => code(row.Code))).toContain(name)
    const { error } = await (provokeOther[name] as () => Promise<Failure>)()
    expect(error.code).toBe(name)
  })
})

describe('the table of what is printed', () => {
  const rows = page.table('An error in hand', 'What is printed')

  /** The messages of an error and of its causes, or its code where that is what is printed. */
  const printed = ({ error }: Failure): string => {
    const parts: string[] = []
    for (let each = error as NodeJS.ErrnoException | undefined; each; each = each.cause as typeof each)
      parts.push(each.message, each.code ?? '')
    return parts.join('\n')
  }

  const overAgent = (path: string, method = 'GET'): Promise<Failure> =>
    withPool({}, (pool, { origin }) =>
      failureOf(
        once(http.request(origin + path, { agent: pool.httpAgent, method }).end(), 'response').then(([response]) =>
          (response as IncomingMessage).toArray(),
        ),
      ),
    )

  const fetched = (path: string): Promise<Failure> =>
    withPool({}, ({ dispatcher }, { origin }) =>
      failureOf(fetch(origin + path, { dispatcher }).then((response) => response.text())),
    )

  const print: Readonly<Record<string, () => Promise<Failure>>> = {
    'fetch failed': () => fetched('/resets'),
    'other side closed': () => fails('/closes'),
    'socket hang up': () => overAgent('/closes'),
    'read ECONNRESET': () => fails('/resets'),
    aborted: () => overAgent('/breaks'),
    terminated: () => fetched('/breaks'),
    'connect ECONNREFUSED': refused,
    'Connect Timeout Error': timeouts.connect,
    'Headers Timeout Error': timeouts.headers,
    'Body Timeout Error': timeouts.body,
    ETIMEDOUT: () => {
      nextPeerDies('ETIMEDOUT')
      return overAgent('/hangs', 'POST')
    },
    'No connection to': () => crowded({ acquireTimeout: 50 }, 1),
    'Too many requests wait': () => crowded({ maxWaiting: 1 }, 2),
    'its peer is dead': () => {
      nextPeerDies('ETIMEDOUT')
      return fails('/hangs', {}, 'POST')
    },
    'The pool is closed': closed,
    'Unknown option': () => failureOf((async () => keepwise.createPool({ maxSockts: 1 } as never))()),
  }

  it('has a row for each that is provoked here', () => {
    expect(rows.map((row) => code(row['What is printed']))).toEqual(Object.keys(print))
  })

  it.each(Object.keys(print))('has %s, which is printed', async (words) => {
    expect(printed(await (print[words] as () => Promise<Failure>)())).toContain(words)
  })
})
