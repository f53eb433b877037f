// One line of text for each trial, for the terminal.

export function formatHeading({ title, closeAfter, advertise }, { requests, delay }) {
  const words = advertise === undefined ? 'unannounced' : `as advertised (timeout=${advertise})`
  return [
    `\n${title}: the server closes after ${closeAfter} ms, ${words}; ${requests} requests, a round trip is ${2 * delay} ms`,
    '                       failed   twice  healed  reuse   answers p50 p99, healed p50 p99 max (ms)',
  ].join('\n')
}

export function formatTrial(trial) {
  const { contestant, failed, twice, healed, reuse, latency, healing, errors, strays, loopDelay, wireLate } = trial
  const number = (value) => String(value).padStart(8)
  const times = (values, ...which) => which.map((name) => (values ? values[name].toFixed(0) : '-').padStart(6)).join('')
  const notes = [
    Object.entries(errors)
      .map(([code, count]) => `${count} x ${code}`)
      .join(', '),
    strays > 0 && `${strays} failed outside the race`,
    (loopDelay > 10 || wireLate > 2) &&
      `busy: loop ${loopDelay.toFixed(1)} ms (p99), wire ${wireLate.toFixed(1)} ms late`,
  ].filter(Boolean)
  return [
    contestant.padEnd(21),
    number(failed),
    number(twice),
    number(healed),
    `${(100 * reuse).toFixed(0)} %`.padStart(8),
    times(latency, 'p50', 'p99'),
    times(healing, 'p50', 'p99', 'max'),
    `  ${notes.join('; ')}`,
  ].join('')
}
