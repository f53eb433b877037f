// The load: closed loop. `outstanding` requests are under way at any time, each answer sends the next one, until
// `requests` have been answered. Stops at the first failure: one failed request makes the measurement void.

/** Resolves when every request was answered; rejects with the first failure. */
export function runLoad(send, { requests, outstanding, bytes }) {
  return new Promise((resolve, reject) => {
    let started = 0
    let answered = 0

    // One function for all requests: a closure for each would be charged to the contestant.
    const done = (error, received) => {
      answered++
      if (error || received !== bytes) {
        started = requests
        return reject(new Error(`request ${answered} failed`, { cause: error ?? `${received} of ${bytes} bytes` }))
      }
      if (started < requests) {
        started++
        send(done)
      } else if (answered === requests) {
        resolve()
      }
    }

    for (; started < Math.min(outstanding, requests); ) {
      started++
      send(done)
    }
  })
}
