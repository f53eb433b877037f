// The process of one contestant, in the client's namespace. Answers one call, `run`, with the records of all lanes.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { answer } from '../../test/support/wire/talk.js'
import { load } from './contestants/index.js'
import { runLane } from './lane.js'
import { schedule } from './schedule.js'

/** Of a POST: small, as the body of an API call is. */
const BODY = JSON.stringify({ account: '4711', amount: 12.5, currency: 'EUR', text: 'once, and only once' })

answer({ run })

async function run({ contestant, method, scheme, host, ports, seed, requests, closeAfter, aimed }) {
  const { open } = await load(contestant)
  const send = await open()
  const lanes = schedule({ seed, lanes: ports.length, requests, closeAfter, aimed })
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const records = await Promise.all(
    lanes.map((times, lane) => {
      const url = `${scheme}://${host}:${ports[lane]}/`
      const sendOne = (id) => {
        const headers = { 'x-request-id': id }
        if (method !== 'POST') return send(url, { method, headers })
        headers['content-type'] = 'application/json'
        return send(url, { method, headers, body: BODY })
      }
      return runLane(sendOne, String(lane), times).then((all) =>
        all.map((record) => ({ ...record, port: ports[lane] })),
      )
    }),
  )
  delay.disable()
  return { records: records.flat(), loopDelay: Math.max(0, delay.percentile(99) / 1e6 - 1) }
}
