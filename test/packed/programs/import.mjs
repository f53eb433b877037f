import * as keepwise from 'keepwise'
import { exercise } from './exercise.cjs'

await exercise(keepwise)
