import * as keepwise from 'keepwise'
import * as server from 'keepwise/server'
import * as watch from 'keepwise/watch'
import { exercise } from './exercise.cjs'

await exercise(keepwise, server, watch, () => Promise.all([import('keepwise/prometheus'), import('prom-client')]))
