// The ways a contestant can send one request. A driver is `send(done)`: it sends one GET, reads the whole response and
// calls `done(error, bytes)` once. Callbacks and not promises: at 10 us a request, a promise would be part of the result.

import http from 'node:http'

const unexpected = (status) => new Error(`status ${status} instead of 200`)

/** The least a dispatcher can be asked to do. Undici 7 works with this handler shape inside, a newer one is wrapped. */
class CountingHandler {
  constructor(done) {
    this.done = done
    this.status = 0
    this.bytes = 0
  }

  onConnect() {}

  onHeaders(status) {
    this.status = status
    return true
  }

  onData(chunk) {
    this.bytes += chunk.length
    return true
  }

  onComplete() {
    if (this.status === 200) this.done(null, this.bytes)
    else this.done(unexpected(this.status))
  }

  onError(error) {
    this.done(error)
  }
}

/** `dispatcher.dispatch()` with a minimal handler: what the pool itself costs. */
export function dispatchDriver(dispatcher, origin) {
  const options = { origin, path: '/', method: 'GET' }
  return (done) => {
    dispatcher.dispatch(options, new CountingHandler(done))
  }
}

/** `dispatcher.request()`: what most callers of undici write. */
export function requestDriver(dispatcher, origin) {
  const options = { origin, path: '/', method: 'GET' }
  return (done) => {
    dispatcher
      .request(options)
      .then(async ({ statusCode, body }) => {
        const { byteLength } = await body.arrayBuffer()
        if (statusCode !== 200) throw unexpected(statusCode)
        return byteLength
      })
      .then((bytes) => done(null, bytes), done)
  }
}

/** Built-in fetch; without a dispatcher it uses the process's default one. */
export function fetchDriver(origin, dispatcher) {
  const url = `${origin}/`
  const init = dispatcher ? { dispatcher } : undefined
  return (done) => {
    fetch(url, init)
      .then(async (response) => {
        const { byteLength } = await response.arrayBuffer()
        if (response.status !== 200) throw unexpected(response.status)
        return byteLength
      })
      .then((bytes) => done(null, bytes), done)
  }
}

/**
 * `http.request()` through an agent. What comes of it is told in a microtask, as to all who await it: node's agents free a
 * connection one tick after its response, and find it for the next request then.
 */
export function agentDriver(agent, origin) {
  const { hostname, port } = new URL(origin)
  const options = { agent, hostname, port, path: '/', method: 'GET' }
  return (done) => {
    const request = http.request(options, (response) => {
      let bytes = 0
      response.on('data', (chunk) => {
        bytes += chunk.length
      })
      response.on('end', () => {
        queueMicrotask(() => (response.statusCode === 200 ? done(null, bytes) : done(unexpected(response.statusCode))))
      })
      response.on('error', done)
    })
    request.on('error', done)
    request.end()
  }
}
