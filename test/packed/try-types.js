/** Type-checks programs that use the installed package, as a module and as CommonJS. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './projects.js'

export function tryTypes(checks, project) {
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    // Node's types come from this project: a user has them installed too.
    typeRoots: [join(ROOT, 'node_modules', '@types')],
    types: ['node'],
  }
  for (const file of ['consumer.mts', 'consumer.cts']) {
    writeFileSync(join(project.directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }))
    checks.equal(complaints(project.directory), '', `${file} passes tsc --strict, declarations included`)
  }
  // And once with an error in it, so that a check that sees no types at all does not pass.
  writeFileSync(join(project.directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['misuse.mts'] }))
  const found = complaints(project.directory)
  checks.check(/misuse\.mts\(\d+,\d+\): error TS/.test(found), 'a misspelt option is a type error', found)
}

function complaints(directory) {
  try {
    execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', directory], {
      encoding: 'utf8',
    })
    return ''
  } catch (error) {
    return error.stdout || String(error)
  }
}
