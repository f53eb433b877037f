/**
 * Uses a pool as a program would, prints what it found as one line of JSON, and leaves a pool open: its idle connection
 * must not keep the process alive.
 */
const http = require('node:http')
const { globalDispatchers } = require('./global-dispatchers.cjs')

const origin = process.env.ORIGIN

exports.exercise = async (keepwise, { keepAlive, OptionError }, { watch }, loadPrometheus) => {
  const { createPool, HttpAgent, HttpsAgent, PeerDeadError } = keepwise
  // Before anything else: which dispatcher does fetch use of itself?
  await fetch(`${origin}/plain`).then((response) => response.text())
  const found = { node: process.versions.node, globalDispatchers: globalDispatchers() }

  const pool = createPool()
  found.fetched = []
  found.requested = []
  for (let n = 0; n < 20; n++) {
    const response = await fetch(`${origin}/fetch`, { dispatcher: pool.dispatcher })
    found.fetched.push(`${response.status} ${await response.text()}`)
  }
  for (let n = 0; n < 20; n++) {
    const response = await pool.dispatcher.request({ origin, path: '/request', method: 'GET' })
    found.requested.push(`${response.statusCode} ${await response.body.text()}`)
  }
  found.capabilities = pool.capabilities
  const dropIn = new HttpAgent({ keepAlive: true, maxSockets: 50 })
  found.agents = [pool.httpAgent, pool.httpsAgent, dropIn, new HttpsAgent()].map((agent) => agent instanceof http.Agent)
  found.throughAgent = []
  found.throughDropIn = []
  for (let n = 0; n < 20; n++) {
    found.throughAgent.push(await get('/agent', pool.httpAgent))
    found.throughDropIn.push(await get('/drop-in', dropIn))
  }

  found.served = await serve(keepAlive, dropIn)
  found.refusesNoServer = await Promise.resolve()
    .then(() => keepAlive({}))
    .catch((error) => error instanceof OptionError && error.code)
  found.errorClass = PeerDeadError.name

  found.watched = await look(watch, [pool, dropIn.pool])
  found.metrics = await measure(createPool, loadPrometheus)

  const closed = createPool()
  await closed.dispatcher.request({ origin, path: '/closed', method: 'GET' }).then(({ body }) => body.text())
  await closed.close()
  found.afterClose = await codeOfRequest(closed)
  const destroyed = createPool()
  destroyed.destroy()
  found.destroyed = await codeOfRequest(destroyed)

  console.log(JSON.stringify(found))
}

/** The watch page, and whether it is told of these pools. */
async function look(watch, pools) {
  const view = await watch()
  const page = await fetch(view.url)
  const state = await fetch(new URL('state', view.url)).then((response) => response.json())
  await view.close()
  const html = await page.text()
  const listed = state.pools.map(({ pool }) => pool.id)
  return {
    status: page.status,
    hasProgram: html.length > 10_000,
    hasPools: pools.every(({ id }) => listed.includes(id)),
  }
}

/** The requests of one pool, as prom-client has counted them; or why there is no prom-client. */
async function measure(createPool, loadPrometheus) {
  const loaded = await loadPrometheus().catch((error) => error)
  if (loaded instanceof Error) return loaded.code
  const [{ collect }, { Registry }] = loaded
  const registry = new Registry()
  const pool = createPool({ name: 'measured' })
  collect(pool, { registry })
  await pool.dispatcher.request({ origin, path: '/measured', method: 'GET' }).then(({ body }) => body.text())
  const text = await registry.metrics()
  await pool.close()
  return /^http_client_request_duration_seconds_count\{.*keepwise_pool_name="measured".*\} 1$/m.test(text)
}

/** What a server promises whose keep-alive is kept, request by request, and what is left when it is closed. */
async function serve(keepAlive, agent) {
  const server = http.createServer((_request, response) => response.end('ok'))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const kept = keepAlive(server, { timeout: 7_000, max: 3 })
  const promises = []
  for (let n = 0; n < 3; n++) {
    const { headers } = await head(`http://127.0.0.1:${server.address().port}/`, agent)
    promises.push(headers['keep-alive'] ?? headers.connection)
  }
  const { accepted, requests } = kept.stats()
  await kept.close({ grace: 0 })
  return { promises, accepted, requests, listening: server.listening }
}

function head(url, agent) {
  return new Promise((resolve, reject) => {
    http.get(url, { agent }, (response) => response.resume().on('end', () => resolve(response))).on('error', reject)
  })
}

/** Status and body, through an agent. */
function get(path, agent) {
  return new Promise((resolve, reject) => {
    const request = http.get(`${origin}${path}`, { agent }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => (text += chunk))
      response.on('end', () => resolve(`${response.statusCode} ${text}`))
    })
    request.on('error', reject)
  })
}

/** The code of the error that a request fails with, or of that error's cause. */
function codeOfRequest(pool) {
  return pool.dispatcher.request({ origin, path: '/refused', method: 'GET' }).then(
    () => 'no error',
    (error) => [error.code, error.cause?.code].find((code) => code?.startsWith('ERR_KEEPWISE')) ?? String(error),
  )
}
