// Built-in fetch. There is nothing to set: it probes after 60 s.

export { open } from '../../race/contestants/fetch.js'

export const title = 'fetch'
export const about = 'built into Node'
