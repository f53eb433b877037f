/** Every client, by name. */
import { awsSdk } from './aws-sdk.js'
import { axios } from './axios.js'
import { got } from './got.js'
import { nodeFetch } from './node-fetch.js'
import { nodeHttp } from './node-http.js'
import { superagent } from './superagent.js'

/** @type {Record<string, import('../support/caller.js').MakeCaller>} */
export const callers = {
  'node:http': nodeHttp,
  axios,
  got,
  'node-fetch': nodeFetch,
  superagent,
  'AWS SDK': awsSdk,
}
