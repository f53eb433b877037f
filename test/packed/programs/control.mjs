/** What a process is like that does not load keepwise. */
import { globalDispatchers } from './global-dispatchers.cjs'

await fetch(`${process.env.ORIGIN}/plain`).then((response) => response.text())
console.log(JSON.stringify({ globalDispatchers: globalDispatchers() }))
