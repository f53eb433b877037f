const keepwise = require('keepwise')
const server = require('keepwise/server')
const watch = require('keepwise/watch')
const { exercise } = require('./exercise.cjs')

exercise(keepwise, server, watch, async () => [require('keepwise/prometheus'), require('prom-client')])
