// Reads nginx's own counters (stub_status): what really was opened and sent, whatever a contestant believes.

import net from 'node:net'

const PATTERN = /Active connections: (\d+)\s+server accepts handled requests\s+(\d+) \d+ (\d+)/

/**
 * The counters without the connection that reads them: connections open now, and connections and requests ever since
 * the first `readings` readings (each reading is one connection and one request itself).
 */
export async function readStatus(port) {
  const text = await exchange(port, 'GET /status HTTP/1.0\r\n\r\n')
  const match = PATTERN.exec(text)
  if (!match) throw new Error(`nginx answered its status page with: ${text.slice(0, 200)}`)
  const [active, accepted, requests] = match.slice(1).map(Number)
  return { active: active - 1, accepted, requests }
}

function exchange(port, message) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(message))
    let text = ''
    socket.setEncoding('latin1')
    socket.setTimeout(5_000, () => socket.destroy(new Error('nginx did not answer its status page within 5 s')))
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}
