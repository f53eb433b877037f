/**
 * One time for all processes of a test: milliseconds of the machine's monotonic clock, the same in the relay, in the
 * servers and in the clients, whatever namespace they run in.
 */
export const monotonic = () => Number(process.hrtime.bigint()) / 1e6
