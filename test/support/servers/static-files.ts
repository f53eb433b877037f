/** The files that the real servers serve, and the certificate they speak TLS with. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { testCertificates } from '../tls.js'
import { READY_PATH } from './child.js'

/** Writes a document root with the ready token, an index page 'ok' and the test's own files; returns its path. */
export function writeDocumentRoot(directory: string, token: string, files: Record<string, string | Buffer>): string {
  const root = join(directory, 'htdocs')
  for (const [name, content] of Object.entries({ 'index.html': 'ok\n', ...files, [READY_PATH]: token })) {
    const path = join(root, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
  return root
}

/** Writes the localhost certificate and its key as files; returns their paths. */
export function writeCertificate(directory: string): { cert: string; key: string } {
  const { localhost } = testCertificates()
  const paths = { cert: join(directory, 'server.crt'), key: join(directory, 'server.key') }
  writeFileSync(paths.cert, localhost.cert)
  writeFileSync(paths.key, localhost.key, { mode: 0o600 })
  return paths
}
