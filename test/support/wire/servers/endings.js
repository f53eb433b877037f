/**
 * The ways in which servers end an idle connection. Each is told the socket (of TLS, where that is spoken) and the TCP
 * socket below it, which is the same one for plain connections.
 */
export const ENDINGS = {
  /** close(2): says FIN, and answers with RST what comes afterwards. What Node, Tomcat, gunicorn and most others do. */
  close: ({ socket }) => socket.destroy(),

  /** Says FIN and goes on reading: what still comes is received, acknowledged and processed. */
  'half-close': ({ socket }) => socket.end(),

  /** TLS says close_notify, and TCP says FIN a moment later, in a packet of its own. */
  'close-notify': ({ socket }) => socket.end(),

  /** SO_LINGER 0: says RST, without a FIN. */
  reset: ({ tcp }) => tcp.resetAndDestroy(),

  /** Says why it closes, and closes: RFC 9110 15.5.9. */
  'request-timeout': ({ socket }) => {
    socket.write('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    socket.end(() => socket.destroy())
  },
}
