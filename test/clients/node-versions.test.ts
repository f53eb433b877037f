/** Every client on the other Nodes, over the built package: in short, and raced. On this one all of the other files are. */
import { beforeAll, describe, expect } from 'vitest'
import { builtPackage, testServer } from '../dispatcher/support.js'
import { endings, type Replay, TRACK, useTrack } from '../replay/race-track.js'
import { NODE_MAJORS, nodeBinary, projectPath, runOnNode } from '../support/nodes.js'
import { describeWith, itWith } from '../support/requirements.js'
import { testCertificates } from '../support/tls.js'
import { callers } from './callers/all.js'
import { answerAll } from './support/scripts.js'
import { digestOf, MEGABYTE, testService } from './support/service.js'

beforeAll(builtPackage)

const names = Object.keys(callers)

const others = NODE_MAJORS.filter((major) => !process.version.startsWith(`v${major}.`))

/** What a client's users see: of a limit of their own, and of an abort. */
const failures: Record<string, { limited: string; aborted: string }> = {
  'node:http': { limited: 'ETIMEDOUT', aborted: 'ABORT_ERR' },
  axios: { limited: 'ECONNABORTED', aborted: 'ERR_CANCELED' },
  got: { limited: 'ETIMEDOUT', aborted: 'ERR_ABORTED' },
  'node-fetch': { limited: 'AbortError', aborted: 'AbortError' },
  superagent: { limited: 'ECONNABORTED', aborted: 'ABORTED' },
  'AWS SDK': { limited: 'ETIMEDOUT', aborted: 'AbortError' },
}

describe('every client', () => {
  for (const major of others)
    itWith([`node${major}`, 'openssl'], `works on Node ${major}`, async () => {
      const [plain, secure, dead] = await Promise.all([testService(), testService({ tls: true }), testServer()])
      await dead.close()
      const setting = { plain: plain.origin, secure: secure.origin, dead: dead.origin, ca: testCertificates().ca }
      const program = { file: projectPath('test/clients/programs/exercise.js') }
      const { code, stdout, stderr } = await runOnNode(major, program, { args: [JSON.stringify(setting)] })
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const exchanged = {
        ...{ inTurn: 1, atOnce: 4, posted: 200 },
        upload: { status: 200, body: digestOf(Buffer.alloc(MEGABYTE / 4, 'x')) },
      }
      const seen = JSON.parse(stdout)
      expect(Object.keys(seen)).toEqual(names)
      for (const name of names)
        expect({ name, ...seen[name] }).toEqual({
          ...{ name, 'http:': exchanged, 'https:': exchanged, refused: 'ECONNREFUSED', ...failures[name] },
          books: { pending: 0, active: 0, waiting: 0, replayed: 0, aborted: 2 },
          left: 0,
        })
    })
})

describeWith(TRACK, 'a POST of every client that crosses the end of its connection', () => {
  const track = useTrack()

  for (const major of others)
    itWith(`node${major}`, `is sent again on Node ${major}, and processed once`, async () => {
      const program = projectPath('test/clients/programs/race.js')
      const client = await track.wire.client.node(program, { node: nodeBinary(major) })
      await client.call('open', { learn: false, connect: { rejectUnauthorized: false } })
      let races = 0
      for (const name of names)
        for (const tls of [false, true]) {
          const server = await track.server([answerAll], { tls })
          expect(await client.call('get', name, server.origin)).toEqual({ status: 200 })
          const post = () => client.call('post', name, server.origin, 'what is posted')
          expect({ name, answer: await track.cross(server, endings.close, post) }).toEqual({
            name,
            answer: { status: 200 },
          })
          const replays: Replay[] = await client.call('replays')
          expect(replays).toHaveLength(++races)
          expect(replays.at(-1)).toMatchObject({ method: 'POST', verdict: 'refused', attempt: 1 })
          const requests = server.connections.map((connection) => connection.requests.map(({ method }) => method))
          expect(requests).toEqual([['GET'], ['POST']])
          expect(`${server.connections[1]?.requests[0]?.body}`).toContain('what is posted')
        }
      expect(await client.call('stats')).toMatchObject({ pending: 0, active: 0, waiting: 0, replayed: races })
      await client.stop()
    })
})
