const { createPool } = require('keepwise')
const { exercise } = require('./exercise.cjs')

exercise(createPool)
