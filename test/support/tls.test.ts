import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import { expect, it } from 'vitest'
import { describeWith } from './requirements.js'
import { type KeyPair, SECOND_NAME, testCertificates } from './tls.js'

describeWith('openssl', 'test certificates', () => {
  const handshake = async (served: KeyPair, options: tls.ConnectionOptions): Promise<string> => {
    const { ca } = testCertificates()
    const server = tls.createServer({ ...served, ca, requestCert: true, rejectUnauthorized: false })
    let clientName: string | string[] | undefined
    server.on('secureConnection', (socket) => {
      clientName = socket.authorized ? socket.getPeerCertificate().subject.CN : 'nobody'
      socket.on('error', () => {})
      socket.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = tls.connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, ca, ...options })
    try {
      await once(socket, 'secureConnect')
      socket.resume()
      await once(socket, 'close')
      return `trusted, client is ${clientName}`
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code)
    } finally {
      socket.destroy()
      server.close()
      await once(server, 'close')
    }
  }

  it('are good for localhost and the loopback addresses', async () => {
    const { localhost } = testCertificates()
    for (const servername of ['localhost', '']) {
      expect(await handshake(localhost, { servername })).toBe('trusted, client is nobody')
    }
    const names = new X509Certificate(localhost.cert).subjectAltName?.split(', ')
    expect(names).toEqual(['DNS:localhost', 'IP Address:127.0.0.1', 'IP Address:0:0:0:0:0:0:0:1'])
  })

  it('are bad for another name, and when signed by nobody', async () => {
    const { localhost, second, untrusted } = testCertificates()
    expect(await handshake(second, { servername: SECOND_NAME })).toBe('trusted, client is nobody')
    expect(await handshake(second, { servername: 'localhost' })).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    expect(await handshake(localhost, { servername: SECOND_NAME })).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    expect(await handshake(untrusted, { servername: 'localhost' })).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
  })

  it('authenticate a client', async () => {
    const { localhost, client } = testCertificates()
    expect(await handshake(localhost, { servername: 'localhost', ...client })).toBe('trusted, client is client')
  })

  it('are made once', () => {
    expect(testCertificates()).toBe(testCertificates())
  })
})
