// The AWS SDK through a pool: the agents go into its NodeHttpHandler. The server here knows as much of S3 as is needed.
// node examples/clients/aws-sdk.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { createPool } from 'keepwise'

// On Node 20 the SDK says on stderr that its support ends.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

const objects = new Map()
let connections = 0
const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://s3')
  if (request.method === 'GET') response.end(objects.get(pathname))
  else {
    objects.set(pathname, await buffer(request))
    response.end()
  }
}).listen(0, '127.0.0.1')
server.on('connection', () => connections++)
await once(server, 'listening')

const pool = createPool({ maxConnections: 4 })

function clientWith(requestHandler) {
  return new S3Client({
    endpoint: `http://127.0.0.1:${server.address().port}`,
    forcePathStyle: true,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'someone', secretAccessKey: 'secret' },
    requestHandler,
  })
}
const s3 = clientWith(new NodeHttpHandler({ httpAgent: pool.httpAgent, httpsAgent: pool.httpsAgent }))

const object = (n) => ({ Bucket: 'bucket', Key: `object-${n}` })
const put = (client, n, Body) => client.send(new PutObjectCommand({ ...object(n), Body }))
const get = async (n) => (await s3.send(new GetObjectCommand(object(n)))).Body.transformToString()

for (let i = 0; i < 10; i++) await put(s3, i, `content ${i}`)
console.log(`10 objects put in turn: ${pool.stats().opened} connection`)

const contents = await Promise.all(Array.from({ length: 10 }, (_, i) => get(i)))
console.log(`${contents.length} objects got at once: ${pool.stats().opened} connections, because maxConnections is 4`)

// The SDK asks before it sends a large body (Expect: 100-continue). By itself it opens a connection for each.
const large = Buffer.alloc(3_000_000)
const itself = clientWith(new NodeHttpHandler())
for (const [name, client] of Object.entries({ itself, keepwise: s3 })) {
  const before = connections
  for (let i = 0; i < 5; i++) await put(client, i, large)
  console.log(`5 large objects, by ${name}: ${connections - before} new connections`)
}

itself.destroy()
await pool.close() // not s3.destroy(): that ends what others have under way in the pool
server.close()
