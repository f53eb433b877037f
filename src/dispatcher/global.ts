/**
 * The process-wide place of undici's global dispatcher, which the built-in `fetch` reads.
 *
 * There are two: copies of undici up to 7 read the first, copies from 8 on the second (with a wrapper of it in the
 * first), so both are kept and both are put back.
 */
import { type Dispatcher, setGlobalDispatcher } from 'undici'

const places = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')]

/** Puts a dispatcher there. What it returns undoes it, where nobody has put another one in the meantime. */
export function installGlobally(dispatcher: Dispatcher): () => void {
  const globals = globalThis as unknown as Record<symbol, unknown>
  const before = places.map((place) => globals[place])
  setGlobalDispatcher(dispatcher)
  return () => {
    for (const [index, place] of places.entries()) if (globals[place] === dispatcher) globals[place] = before[index]
  }
}
