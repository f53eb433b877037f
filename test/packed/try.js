#!/usr/bin/env node
/**
 * Tries the package as its users get it: packs it, installs the tarball into new projects with and without the optional
 * koffi, and runs small programs with `import` and with `require` on every supported Node, against a server that counts
 * what they really do. Exit code 1 when anything does not hold.
 *
 *   node test/packed/try.js [--tarball keepwise-1.2.3.tgz] [--report counts.json]
 *
 * Other Node versions are taken from `.cache/nodes`, see `test/support/install-nodes.js`.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Checks } from './checks.js'
import { createProjects } from './projects.js'
import { tryCommand } from './try-command.js'
import { tryProgram } from './try-program.js'
import { tryTypes } from './try-types.js'

const { values } = parseArgs({ options: { tarball: { type: 'string' }, report: { type: 'string' } } })
const checks = new Checks()
const projects = createProjects(values.tarball)
try {
  checks.group('The tarball')
  for (const file of ['package.json', 'README.md', 'LICENSE']) {
    checks.check(projects.files.includes(file), `has ${file}`)
  }
  const stray = projects.files.filter(
    (file) => !/^(dist|docs)\/|^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(file),
  )
  checks.check(stray.length === 0, 'has nothing else but dist/ and docs/', stray)

  for (const project of projects.list) {
    for (const major of [20, 22, 24, 26]) {
      for (const program of ['import.mjs', 'require.cjs']) {
        checks.group(`Node ${major}, ${program.replace(/\..*/, '')}, ${project.name}`)
        await tryProgram(checks, project, major, program)
      }
    }
  }
  checks.group('The command')
  for (const project of projects.list) tryCommand(checks, project)
  checks.group('TypeScript')
  tryTypes(checks, projects.list[0])
} finally {
  projects.remove()
}
const { passed, failed } = checks
if (values.report) writeFileSync(values.report, JSON.stringify({ passed, failed }))
console.log(`\nThe packed package: ${passed} checks hold, ${failed} do not`)
process.exitCode = failed === 0 ? 0 : 1
