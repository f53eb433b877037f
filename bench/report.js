// One line of text for each comparison, for the terminal.

const WIDTH = 40

export const HEADINGS = {
  load: [
    'CPU per request (user + system). Ratios: median of the pairs (smallest to largest), below 1 the first is cheaper.',
    'Loop: event-loop delay p50 p99 max, in ms.',
  ].join('\n'),
  idle: '\nMemory of one idle connection',
}

/** A budget is held by the median of the ratios, as it is printed: two decimals. */
export const isOverBudget = (result) =>
  result.budget !== undefined &&
  result.ratios !== undefined &&
  Math.round(mainRatio(result).median * 100) / 100 > result.budget

/** The ratio a budget is about. */
export const mainRatio = ({ ratios }) => ratios.cpu ?? ratios.heap

export const formatRatio = ({ median, min, max }) => `${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`
export const formatDelay = (side) => [side.delay50, side.delay99, side.delayMax].map((ms) => ms.toFixed(1)).join(' ')
/** Rounded before it is printed, so that nothing reads -0.0. */
export const formatKilobytes = (bytes) => (Math.round(bytes / 102.4) / 10 + 0).toFixed(1)
export const formatVerdict = (result) =>
  result.budget === undefined ? '' : `${isOverBudget(result) ? 'OVER' : 'within'} ${result.budget.toFixed(2)}`

export const formatLoad = (result) =>
  formatLine(result, [
    both(result, ({ cpu }) => cpu.toFixed(1), 'us'),
    both(result, ({ rate }) => (rate / 1000).toFixed(1), 'k/s'),
    both(result, formatDelay, 'ms'),
    both(result, ({ opened }) => opened, 'open'),
  ])

export const formatIdle = (result) =>
  formatLine(result, [
    both(result, ({ heap }) => formatKilobytes(heap), 'KiB heap'),
    both(result, ({ external }) => formatKilobytes(external), 'external'),
    both(result, ({ arrayBuffers }) => formatKilobytes(arrayBuffers), 'array buffers'),
    both(result, ({ rss }) => formatKilobytes(rss), 'resident'),
  ])

function formatLine(result, cells) {
  const { connections, subject, peer } = result
  const title = peer ? `${subject.title} : ${peer.title}` : subject.title
  const ratio = peer ? [formatRatio(mainRatio(result)).padEnd(17), formatVerdict(result).padEnd(11)] : []
  return [[`${connections}`.padStart(5), title.padEnd(WIDTH), ...ratio].join('  '), ...cells].join(' | ')
}

const both = ({ subject, peer }, show, unit) => `${peer ? `${show(subject)} : ${show(peer)}` : show(subject)} ${unit}`
