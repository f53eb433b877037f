/**
 * Gives a handler of the newer shape (onRequestStart, onResponseStart, …) the older one (onConnect, onHeaders, …), which
 * undici 7 speaks inside. Interceptors, and the built-in fetch of Node 26, bring the newer shape.
 */
import type { Duplex } from 'node:stream'
import { type Dispatcher, util } from 'undici'
import type { Abort, LegacyHandler } from './legacy-handler.js'

type Headers = ReturnType<typeof util.parseHeaders>

class Controller implements Dispatcher.DispatchController {
  aborted = false
  paused = false
  reason: Error | null = null
  rawHeaders: Buffer[] | null = null
  rawTrailers: Buffer[] | null = null
  /** Of the response that is being read. */
  resumeResponse: (() => void) | undefined

  constructor(private readonly abortRequest: Abort) {}

  abort(reason: Error): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    this.abortRequest(reason)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.resumeResponse?.()
  }
}

export class ModernHandler implements LegacyHandler {
  /** Set by `onConnect`, which comes first. */
  private controller!: Controller

  constructor(private readonly handler: Dispatcher.DispatchHandler) {}

  onConnect(abort: Abort): void {
    this.controller = new Controller(abort)
    this.handler.onRequestStart?.(this.controller, undefined)
  }

  onResponseStarted(): void {
    ;(this.handler as { onResponseStarted?(): void }).onResponseStarted?.()
  }

  onUpgrade(statusCode: number, rawHeaders: Buffer[], socket: Duplex): void {
    this.controller.rawHeaders = rawHeaders
    this.handler.onRequestUpgrade?.(this.controller, statusCode, parse(rawHeaders), socket)
  }

  onHeaders(statusCode: number, rawHeaders: Buffer[], resume: () => void, statusMessage: string): boolean {
    this.controller.resumeResponse = resume
    this.controller.rawHeaders = rawHeaders
    this.handler.onResponseStart?.(this.controller, statusCode, parse(rawHeaders), statusMessage)
    return !this.controller.paused
  }

  onData(chunk: Buffer): boolean {
    this.handler.onResponseData?.(this.controller, chunk)
    return !this.controller.paused
  }

  onComplete(rawTrailers: Buffer[]): void {
    this.controller.rawTrailers = rawTrailers
    this.handler.onResponseEnd?.(this.controller, parse(rawTrailers))
  }

  onError(error: Error): void {
    // One that failed before it began, for its options: there is nothing left to abort.
    this.controller ??= new Controller(() => {})
    this.handler.onResponseError?.(this.controller, error)
  }
}

function parse(raw: Buffer[]): Headers {
  return util.parseHeaders(raw)
}
