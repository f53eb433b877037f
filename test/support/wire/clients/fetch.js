/**
 * The built-in fetch of the Node it runs on, through a keepwise pool: the built one of `dist/`. Runs in `wire.client`;
 * answers:
 *
 *   open(options)             makes the pool; before everything else
 *   send(url, kind)           POSTs a body of a kind (see `bodies`), or GETs without one:
 *                             { status, text, took } or { error, took }
 *   replays(), stats()        the payloads of the event so far; the pool's numbers
 *   capabilities()            what the pool says of this machine
 */
import { createPool } from '../../../../dist/index.js'
import { monotonic } from '../clock.js'
import { answer } from '../talk.js'

const replays = []
let pool

answer({ open, send, replays: () => replays, stats: () => pool.stats(), capabilities: () => pool.capabilities })

function open(options) {
  pool = createPool(options)
  pool.on('replay', (replay) => replays.push(replay))
}

const bodies = {
  string: () => 'some text',
  json: () => JSON.stringify({ some: 'text' }),
  form: () => {
    const form = new FormData()
    form.set('field', 'some text')
    form.set('file', new Blob(['a file']), 'name.txt')
    return form
  },
  blob: () => new Blob(['some ', 'text']),
  stream: () =>
    new ReadableStream({
      async start(controller) {
        for (const word of ['some ', 'text']) {
          controller.enqueue(new TextEncoder().encode(word))
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
        controller.close()
      },
    }),
}

async function send(url, kind = null) {
  const start = monotonic()
  const post = kind === null ? {} : { method: 'POST', body: bodies[kind](), duplex: 'half' }
  try {
    const response = await fetch(url, { dispatcher: pool.dispatcher, ...post })
    return { status: response.status, text: await response.text(), took: monotonic() - start }
  } catch (error) {
    return { error: describe(error), took: monotonic() - start }
  }
}

function describe(error) {
  const { name, message, code, cause } = error
  return { ...error, name, message, code, ...(cause instanceof Error && { cause: describe(cause) }) }
}
