/** A server that advertises a long idle time and counts: which request came on which connection, who is still open. */
import { once } from 'node:events'
import { createServer } from 'node:http'

export async function startCountingServer() {
  const server = createServer((request, response) => {
    request.resume()
    request.socket.paths.push(request.url)
    response.end(`answer to ${request.url}`)
  })
  server.keepAliveTimeout = 60_000
  const connections = []
  server.on('connection', (socket) => {
    socket.paths = []
    connections.push(socket)
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    /** The connections on which a path was requested. */
    connectionsOf: (path) => connections.filter((socket) => socket.paths.includes(path)),
    close() {
      server.close()
      for (const socket of connections) socket.destroy()
    },
  }
}
