/**
 * What speaks HTTP on a connection: undici's client for the dispatcher, node:http for the agents. It reads the socket, and
 * watches it while the connection is idle. Connections are shared by all faces: one that both have used has both engines,
 * one of them attached.
 */
export interface Engine {
  /** Takes the socket, for the first time or again. */
  attach(): void
  /** Leaves the socket to another engine: hears nothing of it until it is attached again, but for its close. */
  detach(): void
}
