/** The programs to run at the ends of a wire, by path. Each says in its first lines which calls it answers. */
import { fileURLToPath } from 'node:url'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export const servers = {
  echo: at('servers/echo.js'),
  /** Ends idle connections at a time and in a way that are set; counts what it processes. */
  idle: at('servers/idle.js'),
  /** Node's own, with its own timer. */
  node: at('servers/node.js'),
  /** Does with each request what its path says; closes nothing. */
  scenes: at('servers/scenes.js'),
}

export const clients = {
  /** Sockets by hand. */
  raw: at('clients/raw.js'),
  /** A keepwise pool, from `dist/`. */
  keepwise: at('clients/keepwise.js'),
  /** A keepwise pool that sends what it is told when it is told. */
  load: at('clients/load.js'),
  /** Keepwise pools that keep a diary. */
  chronicle: at('clients/chronicle.js'),
}
