/** Pools for these tests, by their agents. */
import { expect } from 'vitest'
import type { Pool, PoolOptions } from '../../../src/index.js'
import { testPool, until } from '../../dispatcher/support.js'
import type { Agents } from './caller.js'
