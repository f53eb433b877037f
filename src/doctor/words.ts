/** Times as people read them. */

/** `0.34 ms`, `12 ms`, `850 ms`. */
export function milliseconds(time: number): string {
  return `${time < 10 ? time.toFixed(2) : time.toFixed(0)} ms`
}

/** `0.3 ms`, `450 ms`, `5 s`, `1.95 s`, `75.1 s`: to a twentieth of a second below ten. */
export function seconds(time: number): string {
  if (time < 10) return `${Math.round(time * 10) / 10} ms`
  if (time < 950) return `${Math.round(time / 10) * 10} ms`
  const rounded = time < 9_975 ? Math.round(time / 50) / 20 : Math.round(time / 100) / 10
  return `${rounded} s`
}
