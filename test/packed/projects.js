/** Packs the package, and makes projects in a temporary directory that have it installed. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The peer that keepwise/prometheus wants, as this project has it. */
const PROM_CLIENT = 'prom-client@15'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Without a tarball it makes one, which builds. */
export function createProjects(tarball) {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'keepwise-packed-')))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  try {
    const path = tarball ? resolve(tarball) : pack(directory)
    return {
      files: filesOf(path),
      list: [
        createProject(directory, path, { name: 'with koffi and prom-client', hasOptional: true }),
        createProject(directory, path, { name: 'without them', hasOptional: false }),
      ],
      remove,
    }
  } catch (error) {
    remove()
    throw error
  }
}

function pack(directory) {
  npm(['pack', '--silent', '--pack-destination', directory], ROOT)
  return join(
    directory,
    readdirSync(directory).find((name) => name.endsWith('.tgz')),
  )
}

function filesOf(tarball) {
  const listing = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' })
  return listing
    .split('\n')
    .filter(Boolean)
    .map((path) => path.replace(/^package\//, ''))
}

function createProject(parent, tarball, { name, hasOptional }) {
  const directory = join(parent, name.replaceAll(' ', '-'))
  mkdirSync(directory)
  writeFileSync(join(directory, 'package.json'), '{ "private": true }\n')
  const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--silent']
  npm(['install', ...flags, ...(hasOptional ? [PROM_CLIENT] : ['--omit=optional']), tarball], directory)
  for (const kind of ['programs', 'types']) {
    cpSync(join(ROOT, 'test', 'packed', kind), directory, { recursive: true })
  }
  return { name, directory, hasOptional }
}

function npm(args, cwd) {
  execFileSync('npm', args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
}
