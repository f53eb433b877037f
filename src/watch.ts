/**
 * What the pools of this process do, as it happens: `record` writes it to a file, `watch` shows it in a browser. Both work for all
 * pools of the process, those included that were made before.
 *
 * @module keepwise/watch
 */
export { KeepwiseError, OptionError } from './errors.js'
export type { RecordedError, RecordedEvent, RecordOf, TimelineRecord } from './timeline/record.js'
export { type Watch, watch } from './watch/endpoint.js'
export { type DroppedRecord, record } from './watch/log.js'
export type { RecordOptions, WatchOptions } from './watch/options.js'
export type { WatchState } from './watch/page/contract.js'
