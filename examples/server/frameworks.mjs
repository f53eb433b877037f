// express, fastify and koa: what keepAlive takes of each.
// node examples/server/frameworks.mjs

import { once } from 'node:events'
import express from 'express'
import { fastify } from 'fastify'
import { keepAlive } from 'keepwise/server'
import Koa from 'koa'

const host = '127.0.0.1'

// express: what listen() returns.
const expressServer = express()
  .get('/', (_request, response) => response.send('hello'))
  .listen(0, host)

// fastify: its server.
const fastifyApp = fastify()
fastifyApp.get('/', async () => 'hello')

// koa: what listen() returns.
const koa = new Koa()
koa.use((context) => {
  context.body = 'hello'
})
const koaServer = koa.listen(0, host)

const servers = { express: expressServer, fastify: fastifyApp.server, koa: koaServer }
const keepers = Object.values(servers).map((server) => keepAlive(server, { timeout: 65_000, max: 1_000 }))

await fastifyApp.listen({ port: 0, host })
for (const [name, server] of Object.entries(servers)) {
  if (!server.listening) await once(server, 'listening')
  const response = await fetch(`http://${host}:${server.address().port}/`)
  console.log(`${name}: ${await response.text()}, ${response.headers.get('keep-alive')}`)
}

// The built-in fetch keeps its connections: they idle, and are closed when the grace time is over.
const left = await Promise.all(keepers.map((keeper) => keeper.close({ grace: 100 })))
console.log(`left to be ended by force: ${left.reduce((sum, { connections }) => sum + connections, 0)}`)
await fastifyApp.close()
