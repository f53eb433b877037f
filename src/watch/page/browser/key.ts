/**
 * What the signs of the pictures mean.
 */
import { type ComponentChild, h } from 'preact'
import { drawLegend } from '../../../timeline/legend.js'
import { elements } from './picture.js'

export const Key = ({ width }: { width: number }): ComponentChild =>
  h('div', { class: 'picture key' }, elements(drawLegend(width, 'key')))
