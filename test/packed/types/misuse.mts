import { createPool } from 'keepwise'

createPool({ maxConnection: 50 })
