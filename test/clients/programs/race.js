/**
 * Every client at the client's end of a wire, over the built package. Answers:
 *
 *   open(options)                makes the pool; before everything else
 *   get(client, origin)          { status }, or { error }
 *   post(client, origin, body)   so does this
 *   replays()                    the payloads of the event so far
 *   stats(), capabilities()      of the pool
 */
import { createPool } from '../../../dist/index.js'
import { answer } from '../../support/wire/talk.js'
import { callers } from '../callers/all.js'

// The SDK's farewell to Node 20 is not what is looked at.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

const replays = []
let pool

answer({
  open(options) {
    pool = createPool(options)
    pool.on('replay', (replay) => replays.push(replay))
  },
  get: (name, origin) => tell(callers[name](origin, pool).get('/got')),
  post: (name, origin, body) => tell(callers[name](origin, pool).post('/posted', body)),
  replays: () => replays,
  stats: () => pool.stats(),
  capabilities: () => pool.capabilities,
})

async function tell(answering) {
  try {
    const { status } = await answering
    return { status }
  } catch ({ name, code, message }) {
    return { error: { name, code, message } }
  }
}
