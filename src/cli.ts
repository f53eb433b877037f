#!/usr/bin/env node
/**
 * The `keepwise` command: what is seen and measured of connections from a terminal.
 */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { doctorCommand } from './cli/doctor.js'
import { timelineCommand } from './cli/timeline.js'
import { watchCommand } from './cli/watch.js'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

await new Command('keepwise')
  .description('Keepalive-aware connection pooling for Node: see what pools do, and what their settings should be.')
  .version(version)
  .addCommand(doctorCommand())
  .addCommand(watchCommand())
  .addCommand(timelineCommand())
  .parseAsync()
