/** Sends back what it gets. Runs in `wire.server`; `listen()` answers `{ port }`. */
import { once } from 'node:events'
import net from 'node:net'
import { answer } from '../talk.js'

answer({
  async listen() {
    const server = net.createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => {})
      socket.pipe(socket)
    })
    server.listen(0)
    await once(server, 'listening')
    return { port: server.address().port }
  },
})
