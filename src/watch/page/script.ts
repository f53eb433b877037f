/**
 * The program of the page, as text: what is in `browser/`, bundled by `bundle.mjs` when this package is built.
 */
declare const KEEPWISE_PAGE: string

export const script: string = KEEPWISE_PAGE
