/** Runs the command of an installed package, as `npx keepwise` does. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './projects.js'

export function tryCommand(checks, project) {
  const keepwise = (args, input = '') =>
    spawnSync(join(project.directory, 'node_modules/.bin/keepwise'), args, {
      cwd: project.directory,
      encoding: 'utf8',
      input,
      timeout: 20_000,
    })
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  checks.equal(keepwise(['--version']).stdout.trim(), version, `keepwise --version, ${project.name}`)
  const help = keepwise(['--help']).stdout
  for (const command of ['doctor', 'watch', 'timeline']) checks.check(help.includes(command), `has ${command}`, help)
  const log = readFileSync(join(ROOT, 'docs/figures/timeline.ndjson'), 'utf8')
  const drawn = keepwise(['timeline', '-', '-o', '-'], log)
  checks.check(drawn.status === 0 && /^<svg .*<\/svg>\s*$/s.test(drawn.stdout), 'draws a timeline', drawn.stderr)
  const wrong = keepwise(['doctor', 'ftp://example.com'])
  checks.equal(wrong.status, 2, 'says 2 for what is no http URL')
  checks.check(wrong.stderr.includes('"ftp:"'), 'and says what it was given', wrong.stderr)
}
