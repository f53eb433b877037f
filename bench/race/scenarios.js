// What is raced: who speaks how, and when the server closes.
//
//   closeAfter   idle milliseconds after which the server closes, unless `advertise` says so without a word
//   advertise    seconds in the server's `Keep-Alive: timeout=`
//   aimed        share of the requests whose idle time is aimed at the moment of that close; the others come earlier

const UNADVERTISED = { closeAfter: 1000, aimed: 1 }
// As traffic is: most requests are nowhere near the close.
const USUAL = { closeAfter: 1000, aimed: 0.1 }
// Whole seconds, and three of them: some clients take one or two off. Those who obey never meet the close, so half of
// the requests come at any time before it, to show who still reuses connections.
const ADVERTISED = { closeAfter: 3000, advertise: 3, aimed: 0.5 }

export const SCENARIOS = [
  { name: 'post', title: 'POST', method: 'POST', ...UNADVERTISED },
  { name: 'get', title: 'GET', method: 'GET', ...UNADVERTISED },
  { name: 'post-tls', title: 'POST, TLS', method: 'POST', tls: true, ...UNADVERTISED },
  { name: 'get-tls', title: 'GET, TLS', method: 'GET', tls: true, ...UNADVERTISED },
  { name: 'post-usual', title: 'POST, mostly far from the race', method: 'POST', ...USUAL },
  { name: 'post-advertised', title: 'POST, advertised', method: 'POST', ...ADVERTISED },
  { name: 'get-advertised', title: 'GET, advertised', method: 'GET', ...ADVERTISED },
]
