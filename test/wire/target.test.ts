import { describe, expect, it } from 'vitest'
import { keyOf, serverNameOf, targetOf } from '../../src/wire/target.js'

describe('whom a URL speaks to', () => {
  it.each([
    ['http://example.com', 'http:', 'example.com', '', null, 'http://example.com'],
    ['http://example.com:80/path?query', 'http:', 'example.com', '', null, 'http://example.com'],
    ['http://EXAMPLE.com:8080', 'http:', 'example.com', '8080', null, 'http://example.com:8080'],
    ['https://example.com', 'https:', 'example.com', '', 'example.com', 'https://example.com'],
    ['https://user:password@example.com:443', 'https:', 'example.com', '', 'example.com', 'https://example.com'],
    ['https://127.0.0.1:8443', 'https:', '127.0.0.1', '8443', null, 'https://127.0.0.1:8443'],
    ['https://[::1]', 'https:', '[::1]', '', null, 'https://[::1]'],
  ] as const)('%s', (url, protocol, hostname, port, servername, key) => {
    for (const spelling of [url, new URL(url)]) {
      const target = targetOf(spelling, undefined)
      expect(target).toEqual({ origin: new URL(url).origin, protocol, hostname, port, servername })
      expect(keyOf(target)).toBe(key)
    }
  })

  it.each(['ftp://example.com', 'file:///etc/hosts', 'unix:/socket'])('%s: nobody that can be pooled', (url) => {
    expect(() => targetOf(url, undefined)).toThrow(TypeError)
    expect(() => targetOf(url, undefined)).toThrow(
      `Only http and https origins can be pooled, not "${new URL(url).protocol}"`,
    )
  })

  it.each(['', 'example.com', '/path', 'http://'])('%j is no URL', (text) => {
    expect(() => targetOf(text, undefined)).toThrow('Invalid URL')
  })
})

describe('another TLS server name', () => {
  it('is another key: who is spoken to is not the same', () => {
    const key = (servername: string | undefined): string => keyOf(targetOf('https://example.com', servername))
    expect(key('other.example.com')).toBe('https://example.com as other.example.com')
    expect(key('example.com')).toBe('https://example.com')
    expect(key(undefined)).toBe('https://example.com')
  })

  it('can be given to an address', () => {
    expect(targetOf('https://127.0.0.1', 'example.com').servername).toBe('example.com')
    expect(keyOf(targetOf('https://127.0.0.1', 'example.com'))).toBe('https://127.0.0.1 as example.com')
  })

  it('means nothing without TLS', () => {
    expect(targetOf('http://example.com', 'other.example.com').servername).toBeNull()
    expect(keyOf(targetOf('http://example.com', 'other.example.com'))).toBe('http://example.com')
  })

  it('of nothing is none at all', () => {
    expect(targetOf('https://example.com', '').servername).toBeNull()
  })
})

describe('the server name of a host', () => {
  it.each([
    ['example.com', 'example.com'],
    ['example.com:8443', 'example.com'],
    ['127.0.0.1', null],
    ['127.0.0.1:8443', null],
    ['[::1]', null],
    ['[::1]:8443', null],
    ['localhost', 'localhost'],
  ])('%s is %s', (host, name) => {
    expect(serverNameOf(host)).toBe(name)
  })
})
