import { describe } from 'vitest'
import { nodeFetch } from './callers/node-fetch.js'
import { sharedCases } from './cases/all.js'
import { redirectCases } from './cases/redirects.js'
import type { Client } from './support/caller.js'

const aborted = { name: 'AbortError', type: 'aborted' }

const client: Client = {
  make: nodeFetch,
  errors: {
    aborted,
    abortedBody: aborted,
    timedOut: aborted,
    network: (code) => ({ name: 'FetchError', type: 'system', code }),
  },
  keepsCauses: false,
  unpacks: true,
  usesGlobalAgents: true,
}

describe('node-fetch', () => {
  sharedCases(client)
  describe('redirects', () => redirectCases(client, { breaksOff: true }))
})
