import * as keepwise from 'keepwise'
import * as server from 'keepwise/server'
import { exercise } from './exercise.cjs'

await exercise(keepwise, server)
