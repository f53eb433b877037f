/**
 * The error that node:http gives for a connection that ended before its response, whoever ended it.
 */
export const hangUp = (): Error => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
