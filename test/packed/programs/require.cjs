const keepwise = require('keepwise')
const { exercise } = require('./exercise.cjs')

exercise(keepwise)
