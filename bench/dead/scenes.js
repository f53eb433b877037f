// What a connection is doing when its wire is cut.
//
//   start       when the request is sent: `first`, some time before the cut; `amid`, its body is on the wire at the cut;
//               `early`, it has just arrived then and is acknowledged; `late`, right after it. Without it, none is: the
//               connection idles
//   method, path, large   the request, see test/support/wire/servers/scenes.js for the paths
//   mendAfter   milliseconds after which the wire is mended
//   kind        `dead`: known when the request fails, or the idle connection is closed; `mended`: to be answered in the end;
//               `living`: its wire is not cut at all, and it is to be answered

/** Later than a peer is known to be dead. */
const BACK_AFTER = 10_000
/** Longer than Ti + Td x Nm, and than the patience of most timers. */
const SLOW = 20_000

export const SCENES = [
  { name: 'idle', kind: 'dead', title: 'idle' },
  { name: 'waiting', kind: 'dead', title: 'waiting for the response', start: 'early', method: 'POST', path: '/never' },
  {
    name: 'streaming',
    kind: 'dead',
    title: 'reading the response',
    start: 'early',
    method: 'POST',
    path: '/stream/100',
  },
  { name: 'sending', kind: 'dead', title: 'sending a small body', start: 'late', method: 'POST', path: '/' },
  {
    name: 'uploading',
    kind: 'dead',
    title: 'sending a large body',
    start: 'amid',
    method: 'POST',
    path: '/',
    large: true,
  },
  { name: 'mended', kind: 'mended', start: 'late', method: 'GET', path: '/', mendAfter: BACK_AFTER },
  {
    name: 'slow',
    kind: 'living',
    title: 'a response after 20 s',
    start: 'first',
    method: 'POST',
    path: `/after/${SLOW}`,
  },
  {
    name: 'window',
    kind: 'living',
    title: 'a server that does not read for 20 s',
    start: 'first',
    method: 'POST',
    path: `/unread/${SLOW}`,
    large: true,
  },
]
