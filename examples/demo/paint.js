// Colour where the terminal has it, plain text elsewhere (a pipe, NO_COLOR, TERM=dumb).

import { styleText } from 'node:util'

const colours = process.stdout.isTTY && process.stdout.hasColors()

export const paint = (style, text) => (colours ? styleText(style, String(text)) : String(text))
