/**
 * Ways to send one request through a pool. Each tells when the request has begun and how it can be aborted, when it is
 * written, and how it was settled: once each, and if not, whoever is told can see it.
 */
import http from 'node:http'
import https from 'node:https'

/**
 * @typedef {object} Request
 * @property {string} url
 * @property {string} method
 * @property {Record<string, string>} headers
 * @property {Buffer | null} body
 */

/**
 * @typedef {object} Caller
 * @property {(abort: () => void) => void} begun
 * @property {() => void} sent
 * @property {(outcome: { status?: number, error?: Error }) => void} settled
 */

/** @param {import('../../../../dist/index.js').Pool} pool  @param {Request} request  @param {Caller} caller */
export function dispatch(pool, { url, ...request }, caller) {
  const { origin, pathname: path } = new URL(url)
  let status
  const handler = {
    onConnect: caller.begun,
    onRequestSent: caller.sent,
    onHeaders: (statusCode) => {
      status = statusCode
      return true
    },
    onData: () => true,
    onComplete: () => caller.settled({ status }),
    onError: (error) => caller.settled({ error }),
  }
  pool.dispatcher.dispatch({ origin, path, ...request }, handler)
}

/** A body of more bytes is written in several pieces, some of them later. */
const ONE_PIECE = 50_000

/**
 * By http.request or https.request. Settled when its 'close' comes, by what came first: the end of a response, or an error.
 * There may be both, as where the rest of a body meets a closed connection after the response. Settled once more for each
 * event that comes twice.
 *
 * @param {import('../../../../dist/index.js').Pool} pool  @param {Request} request  @param {Caller} caller
 */
export function request(pool, { url, method, headers, body }, caller) {
  const secure = url.startsWith('https:')
  const agent = secure ? pool.httpsAgent : pool.httpAgent
  const outgoing = (secure ? https : http).request(url, { agent, method, headers })
  const seen = new Set()
  let outcome
  let responded
  const note = (event, result) => {
    if (seen.has(event)) caller.settled({ error: new Error(`${event} came twice`) })
    seen.add(event)
    outcome ??= result
  }
  caller.begun(() => (Math.random() < 0.5 ? outgoing.abort() : outgoing.destroy()))
  outgoing
    .on('finish', caller.sent)
    .on('error', (error) => note('error', { error }))
    .on('response', (response) => {
      note('response')
      const { statusCode: status } = response
      response.resume()
      responded = new Promise((resolve) => response.once('close', resolve))
      response.on('end', () => note('end', { status })).on('error', (error) => note('response error', { error }))
    })
    .on('close', async () => {
      note('close')
      await responded
      caller.settled(outcome ?? { error: new Error('closed without a word') })
    })
  if (body === null || body.length <= ONE_PIECE) outgoing.end(body ?? undefined)
  else writePiecewise(outgoing, body)
}

function writePiecewise(outgoing, body) {
  const write = (at) => {
    if (outgoing.destroyed) return
    const end = at + ONE_PIECE / 2
    if (end >= body.length) outgoing.end(body.subarray(at))
    else {
      outgoing.write(body.subarray(at, end))
      setTimeout(write, 3, end)
    }
  }
  write(0)
}
