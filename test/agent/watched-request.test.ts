import http, { type ClientRequest } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WatchedRequest } from '../../src/agent/watched-request.js'
import { turns } from '../dispatcher/support.js'

/** A request that never gets a socket. */
function waiting(): ClientRequest {
  const agent = new http.Agent()
  Object.assign(agent, { addRequest() {} })
  const request = http.request('http://127.0.0.1:1', { agent })
  request.on('error', () => {})
  onTestFinished(() => void request.destroy())
  return request
}

function watch(request: ClientRequest) {
  const seen: unknown[] = []
  const watched = new WatchedRequest(request, {
    destroyed: (error) => void seen.push(error ?? 'destroyed'),
    timeoutSet: (timeout) => void seen.push(timeout),
  })
  return { seen, watched }
}

describe('a request that is watched', () => {
  it('tells that it is destroyed once it is so, and with what', () => {
    const failure = new Error('enough')
    const request = waiting()
    const seen: unknown[] = []
    new WatchedRequest(request, {
      destroyed: (error) => void seen.push([error, request.destroyed]),
      timeoutSet: () => {},
    })
    expect(request.destroy(failure)).toBe(request)
    expect(seen).toEqual([[failure, true]])
  })

  it('tells so when it is aborted, and by its signal', async () => {
    const aborted = waiting()
    const { seen } = watch(aborted)
    aborted.abort()
    expect(seen).toEqual(['destroyed'])
    expect(aborted.aborted).toBe(true)

    const controller = new AbortController()
    const agent = Object.assign(new http.Agent(), { addRequest() {} })
    const signalled = http.request('http://127.0.0.1:1', { agent, signal: controller.signal })
    signalled.on('error', () => {})
    const bySignal = watch(signalled)
    controller.abort()
    await turns()
    expect(bySignal.seen).toMatchObject([{ name: 'AbortError' }])
  })

  it('tells of times that are set, which are set all the same', () => {
    const request = waiting()
    const { seen } = watch(request)
    let called = 0
    expect(request.setTimeout(1500, () => called++)).toBe(request)
    expect(seen).toEqual([1500])
    request.emit('timeout')
    expect(called).toBe(1)
  })

  it('tells nothing any more once it is not', () => {
    const request = waiting()
    const { seen, watched } = watch(request)
    watched.end()
    request.setTimeout(10)
    request.destroy()
    expect(seen).toEqual([])
    expect(request.destroyed).toBe(true)
  })

  it('tells the last one that watches, though it was watched before', () => {
    const request = waiting()
    const first = watch(request)
    first.watched.end()
    const second = watch(request)
    request.setTimeout(10)
    request.destroy()
    expect(first.seen).toEqual([])
    expect(second.seen).toEqual([10, 'destroyed'])
  })

  it('keeps what somebody else has put before its destroy', () => {
    const request = waiting()
    const { watched } = watch(request)
    const { destroy } = request
    const calls: string[] = []
    request.destroy = function (error) {
      calls.push('mine')
      return destroy.call(this, error) as never
    }
    watched.end()
    request.destroy()
    expect(calls).toEqual(['mine'])
    expect(request.destroyed).toBe(true)
  })
})
