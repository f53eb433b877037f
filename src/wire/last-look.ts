/**
 * A last look at a socket that is being destroyed, by whomever: the last moment at which its descriptor is good.
 *
 * Node has no event for that. `_destroy` is the method that streams are made to override; here it is one that all sockets of a
 * kind share, so that it costs them no function each.
 */
import type { Socket } from 'node:net'

type Destroy = (error: Error | null, callback: (error?: Error | null) => void) => void
type Destroyable = { _destroy: Destroy }

/** Makes an override for `takeLastLook`; `look` must not throw. */
export function destroyAfter<Kind extends Socket>(look: (socket: Kind, error: Error | null) => void): Destroy {
  return function destroy(this: Kind, error, callback): void {
    look(this, error)
    ;(Object.getPrototypeOf(this) as Destroyable)._destroy.call(this, error, callback)
  } as Destroy
}

/** Has a socket looked at when it is destroyed. */
export function takeLastLook(socket: Socket, destroy: Destroy): void {
  ;(socket as unknown as Destroyable)._destroy = destroy
}

/** Has it destroyed as its class has it. */
export function forgoLastLook(socket: Socket): void {
  delete (socket as unknown as Partial<Destroyable>)._destroy
}
