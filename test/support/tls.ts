/**
 * Certificates for tests, made by openssl at test time and kept for the process: nothing secret is in the repository
 * and nothing expires. One authority signs all of them.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireCommand } from './commands.js'

/** PEM texts, ready for `tls.createServer` and `tls.connect`. */
export interface KeyPair {
  key: string
  cert: string
}

export interface TestCertificates {
  /** Trust this one (`ca`) and all but `untrusted` are good. */
  ca: string
  /** For localhost, 127.0.0.1 and ::1. */
  localhost: KeyPair
  /** For second.test alone: another TLS identity on the same address, and the wrong name for localhost. */
  second: KeyPair
  /** For clients that authenticate themselves. */
  client: KeyPair
  /** For localhost, signed by nobody but itself. */
  untrusted: KeyPair
}

/** The name in the `second` certificate. No resolver knows it: connect to a loopback address with it as `servername`. */
export const SECOND_NAME = 'second.test'

let cached: TestCertificates | undefined

export function testCertificates(): TestCertificates {
  return (cached ??= generate())
}

const LOCALHOST_NAMES = 'DNS:localhost,IP:127.0.0.1,IP:::1'

function generate(): TestCertificates {
  const directory = mkdtempSync(join(tmpdir(), 'keepwise-tls-'))
  const path = (name: string) => join(directory, name)
  const read = (name: string) => readFileSync(path(name), 'utf8')

  /** A new key, and a certificate for it that is valid for two days. */
  const certify = (name: string, subject: string, extensions: string[], authority?: string): KeyPair => {
    writeFileSync(path(`${name}.ext`), ['[req]', 'distinguished_name = dn', '[dn]', '[ext]', ...extensions].join('\n'))
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', path(`${name}.key`)]
    const issuer = authority ? ['-CA', path(`${authority}.crt`), '-CAkey', path(`${authority}.key`)] : []
    const names = ['-subj', `/CN=${subject}`, '-config', path(`${name}.ext`), '-extensions', 'ext']
    openssl(['req', '-x509', '-days', '2', ...newKey, ...issuer, ...names, '-out', path(`${name}.crt`)])
    return { key: read(`${name}.key`), cert: read(`${name}.crt`) }
  }

  const leaf = (names: string, usage: string) => [
    'basicConstraints = critical, CA:FALSE',
    `extendedKeyUsage = ${usage}`,
    `subjectAltName = ${names}`,
  ]

  try {
    const authority = certify('ca', 'keepwise test authority', [
      'basicConstraints = critical, CA:TRUE',
      'keyUsage = critical, keyCertSign, cRLSign',
      'subjectKeyIdentifier = hash',
    ])
    return {
      ca: authority.cert,
      localhost: certify('localhost', 'localhost', leaf(LOCALHOST_NAMES, 'serverAuth'), 'ca'),
      second: certify('second', SECOND_NAME, leaf(`DNS:${SECOND_NAME}`, 'serverAuth'), 'ca'),
      client: certify('client', 'client', leaf('DNS:client.test', 'clientAuth'), 'ca'),
      untrusted: certify('untrusted', 'localhost', leaf(LOCALHOST_NAMES, 'serverAuth')),
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function openssl(args: string[]): void {
  try {
    execFileSync(requireCommand('openssl'), args, { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (error) {
    const said = (error as { stderr?: Buffer }).stderr?.toString() ?? ''
    throw new Error(`openssl ${args.slice(0, 2).join(' ')} failed. ${said}`, { cause: error })
  }
}
