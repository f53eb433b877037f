/** A certificate for the server's end of the wire, made by openssl at run time: nothing secret is in the repository. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A key and a certificate, signed by itself, valid for two days for one IPv4 address: to be trusted as `ca`.
 * @param {string} address
 * @returns {{ key: string, cert: string }}
 */
export function certificateFor(address) {
  const directory = mkdtempSync(join(tmpdir(), 'keepwise-wire-'))
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert]
  const names = ['-subj', '/CN=keepwise-wire', '-addext', `subjectAltName=IP:${address}`]
  try {
    execFileSync('openssl', ['req', '-x509', '-days', '2', ...newKey, ...names], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
