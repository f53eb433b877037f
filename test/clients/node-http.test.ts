import { describe } from 'vitest'
import { nodeHttp } from './callers/node-http.js'
import { sharedCases } from './cases/all.js'

const aborted = { name: 'AbortError', code: 'ABORT_ERR' }

describe('http.request and https.request', () => {
  sharedCases({
    make: nodeHttp,
    errors: {
      aborted,
      abortedBody: { code: 'ECONNRESET', message: 'aborted' },
      timedOut: { code: 'ETIMEDOUT' },
      network: (code) => ({ code }),
    },
    keepsCauses: true,
    unpacks: false,
    usesGlobalAgents: true,
  })
})
