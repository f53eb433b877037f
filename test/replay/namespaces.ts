/**
 * Moves this process between the ends of a wire. A socket belongs for good to the network namespace that its thread was in
 * when it was made, so one process can be the server at one end and the client at the other: a test then sees both, calls
 * both, and needs no messages in between. Linux, root, koffi.
 */
import { closeSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'

const CLONE_NEWNET = 0x40000000

/** The namespace this thread is in now, and the way back to it. */
export class Namespace {
  readonly #fd: number

  /** By the name that `ip netns` knows it by. */
  static named(name: string): Namespace {
    return new Namespace(`/run/netns/${name}`)
  }

  static current(): Namespace {
    return new Namespace('/proc/thread-self/ns/net')
  }

  private constructor(path: string) {
    this.#fd = openSync(path, 'r')
  }

  enter(): void {
    if (setns()(this.#fd, CLONE_NEWNET) !== 0) throw new Error('setns failed: this needs root and CAP_SYS_ADMIN')
  }

  /** Does something in it, and comes back to `home`. */
  async visit<T>(home: Namespace, work: () => Promise<T>): Promise<T> {
    this.enter()
    try {
      return await work()
    } finally {
      home.enter()
    }
  }

  close(): void {
    closeSync(this.#fd)
  }
}

function setns(): (fd: number, type: number) => number {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  return koffi.load(null).func('int setns(int fd, int type)')
}
