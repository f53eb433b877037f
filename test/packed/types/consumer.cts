import keepwise = require('keepwise')

const pool = keepwise.createPool({ maxConnections: 50, liveness: 'cloud' })
pool.once('open', ({ connection }) => console.log(connection.origin))
const closing: Promise<void> = pool.close()
closing.catch(() => {})
