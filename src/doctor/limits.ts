/** How much the doctor asks of a server, at the most. It examines; it is no load test. */

/** Connections that are open at the same time. */
export const MOST_OPEN = 5

/** Connections that are opened in all. */
export const MOST_OPENED = 60

/** Bytes of one response that are read; with a body beyond that the response is of no use here. */
export const LARGEST_BODY = 1024 * 1024

/** Connections that are opened one after the other to find out what that costs. */
export const COST_SAMPLES = 5
