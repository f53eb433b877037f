/**
 * Makes Node load its own fetch before this package loads undici.
 *
 * Whichever copy of undici is evaluated first puts its agent in the process-wide place of the global dispatcher, and
 * the built-in `fetch` then uses it (nodejs/undici#5500). Importing keepwise must change nothing by itself, so the
 * built-in copy goes first: reading one of its lazily loaded globals is enough. `install()` is the way to change it.
 *
 * A module of its own, kept apart in the build, because a module's imports are evaluated before its own statements.
 */
void globalThis.Headers
