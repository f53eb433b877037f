// undici's own API through a pool: request, stream, an interceptor, and an error with what is known of its connection.
// node examples/undici.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { createPool } from 'keepwise'
import { interceptors, request, stream } from 'undici'

let failures = 2
const server = createServer(async (incoming, response) => {
  if (incoming.url === '/crash') incoming.socket.resetAndDestroy()
  else if (incoming.url === '/flaky' && failures-- > 0) response.writeHead(503).end()
  else response.end(`${incoming.method} ${await text(incoming)}`)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${server.address().port}`

const pool = createPool()
const { dispatcher } = pool

const posted = await request(origin, { dispatcher, method: 'POST', body: 'hello' })
console.log(`request: ${posted.statusCode}, "${await posted.body.text()}"`)

const chunks = []
await stream(origin, { dispatcher, method: 'PUT', body: 'streamed' }, () => {
  return new Writable({
    write(chunk, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
})
console.log(`stream: "${Buffer.concat(chunks)}"`)

const retrying = dispatcher.compose(interceptors.retry({ maxRetries: 3, minTimeout: 20 }))
const retried = await request(`${origin}/flaky`, { dispatcher: retrying })
console.log(`interceptor: ${retried.statusCode}, after two answers of 503`)
await retried.body.dump()

try {
  await request(`${origin}/crash`, { dispatcher, method: 'POST', body: 'may have been processed' })
} catch (error) {
  // The code that callers match on is undici's or Node's; what is known of the connection, and of the request, is the cause.
  const { connection, verdict, refusal } = error.cause
  const { requests, remoteAddress } = connection
  console.log(
    `error: ${error.code}, cause ${error.cause.code}: request ${requests} on its connection to ${remoteAddress}`,
  )
  console.log(`sent again? no: ${verdict}, ${refusal}`)
}

const { requests, opened } = pool.stats()
console.log(`${requests} requests, ${opened} connection`)

await pool.close()
server.close()
