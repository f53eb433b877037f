// The numbers of a pool for Prometheus: three requests, one of them refused, and the lines that a scrape would see.
// node examples/metrics.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { createPool } from 'keepwise'
import { collect } from 'keepwise/prometheus'
import { Registry } from 'prom-client'

const server = createServer((request, response) => response.writeHead(request.url === '/no' ? 404 : 200).end('hello'))
await once(server.listen(0, '127.0.0.1'), 'listening')
const origin = `http://127.0.0.1:${server.address().port}`

const pool = createPool({ name: 'api' })
const registry = new Registry()
collect(pool, { registry }) // with prom-client's own registry: collect(pool)

for (const path of ['/', '/', '/no']) {
  const response = await fetch(origin + path, { dispatcher: pool.dispatcher })
  await response.text()
}
await pool.close()

// What an exporter would serve at /metrics. Here: what was counted, without the labels that say which server it was.
const text = await registry.metrics()
for (const line of text.split('\n')) {
  const [, name, labels, value] = /^(\w+_(?:count|total))\{(.*)\} ([1-9].*)$/.exec(line) ?? []
  if (name === undefined) continue
  const told = [...labels.matchAll(/(\w+)="([^"]*)"/g)].filter(([, label]) =>
    ['http_response_status_code', 'keepwise_close_reason', 'keepwise_pool_name'].includes(label),
  )
  console.log(name, value, ...told.map(([, , word]) => word))
}

server.close()
