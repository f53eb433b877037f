import { createPool } from 'keepwise'
import { exercise } from './exercise.cjs'

await exercise(createPool)
