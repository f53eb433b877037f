const keepwise = require('keepwise')
const server = require('keepwise/server')
const { exercise } = require('./exercise.cjs')

exercise(keepwise, server)
