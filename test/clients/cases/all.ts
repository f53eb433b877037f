/** The cases that every client goes through. */
import { describe } from 'vitest'
import type { Client } from '../support/caller.js'
import { abortCases } from './abort.js'
import { bodyCases } from './bodies.js'
import { errorCases } from './errors.js'
import { keepAliveCases } from './keep-alive.js'
import { livenessCases } from './liveness.js'
import { otherAgentCases } from './other-agents.js'
import { timeoutCases } from './timeouts.js'
import { tlsCases } from './tls.js'

/** Declares them, for the suite that they are called in. */
export function sharedCases(client: Client): void {
  describe('keep-alive', () => keepAliveCases(client))
  describe('TCP keepalive', () => livenessCases(client))
  describe('abort', () => abortCases(client))
  describe('limits of time', () => timeoutCases(client))
  describe('TLS', () => tlsCases(client))
  describe('bodies', () => bodyCases(client))
  describe('errors', () => errorCases(client))
  describe('other agents', () => otherAgentCases(client))
}
