// A log of what a pool does, one JSON object a line. `npx keepwise timeline log.ndjson -o log.svg` draws it.
// node examples/record.mjs

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPool } from 'keepwise'
import { record } from 'keepwise/watch'

const server = createServer((_request, response) => response.end('hello'))
await once(server.listen(0, '127.0.0.1'), 'listening')
const url = `http://127.0.0.1:${server.address().port}/`

const directory = await mkdtemp(join(tmpdir(), 'keepwise-'))
const file = join(directory, 'log.ndjson')
const stop = record(createWriteStream(file))

const pool = createPool({ name: 'api' })
for (let i = 0; i < 2; i++) {
  const response = await fetch(url, { dispatcher: pool.dispatcher })
  await response.text()
}
await pool.close()
await stop()

for (const line of (await readFile(file, 'utf8')).trim().split('\n')) {
  const { event, pool: origin, connection, reason } = JSON.parse(line)
  const words = [connection && `connection ${connection.id}, ${connection.requests} requests`, reason]
  console.log([origin.name, event, ...words].filter(Boolean).join(' '))
}

await rm(directory, { recursive: true })
server.close()
