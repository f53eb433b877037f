import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import type { PoolOptions } from '../../src/index.js'
import { testCertificates } from '../support/tls.js'
import { awsSdk, BUCKET, s3Client } from './callers/aws-sdk.js'
import { sharedCases } from './cases/all.js'
import { agentPool, expectWhole, setUp } from './support/agents.js'
import { testS3 } from './support/s3.js'
import { LARGE, MEGABYTE } from './support/service.js'

describe('the S3 client of the AWS SDK', () => {
  sharedCases({
    make: awsSdk,
    errors: {
      aborted: { name: 'AbortError' },
      abortedBody: { code: 'ECONNRESET' },
      timedOut: { name: 'TimeoutError', code: 'ETIMEDOUT' },
      network: (code) => ({ code }),
    },
    keepsCauses: true,
    unpacks: false,
    usesGlobalAgents: false,
  })

  describe.each([false, true])('with S3 (TLS: %s)', (tls) => {
    async function setUpS3(options: PoolOptions = {}) {
      const s3 = await testS3({ tls })
      const pool = agentPool({ ...options, connect: { ca: testCertificates().ca } })
      return { s3, pool, client: s3Client(s3.origin, pool) }
    }
    const object = (Key: string) => ({ Bucket: BUCKET, Key })

    it('puts, heads, gets in whole and in part, lists and deletes objects, all on one connection', async () => {
      const { s3, pool, client } = await setUpS3()
      for (const name of ['a/1', 'a/2', 'a/3', 'b/1'])
        await client.send(new PutObjectCommand({ ...object(name), Body: `content of ${name}` }))
      expect(s3.uploads[0]).toEqual({ chunked: false, checksum: 'x-amz-checksum-crc32', expectedContinue: false })

      expect(await client.send(new HeadObjectCommand(object('a/2')))).toMatchObject({ ContentLength: 14 })
      const whole = await client.send(new GetObjectCommand(object('a/2')))
      expect(await whole.Body?.transformToString()).toBe('content of a/2')
      const part = await client.send(new GetObjectCommand({ ...object('a/2'), Range: 'bytes=3-6' }))
      expect(await part.Body?.transformToString()).toBe('tent')
      await expect(client.send(new GetObjectCommand(object('missing')))).rejects.toBeInstanceOf(NoSuchKey)

      const first = await client.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: 'a/', MaxKeys: 2 }))
      expect(first.Contents?.map(({ Key }) => Key)).toEqual(['a/1', 'a/2'])
      const rest = { Bucket: BUCKET, Prefix: 'a/', ContinuationToken: first.NextContinuationToken }
      expect((await client.send(new ListObjectsV2Command(rest))).Contents?.map(({ Key }) => Key)).toEqual(['a/3'])

      await client.send(new DeleteObjectCommand(object('a/2')))
      expect([...s3.objects.keys()]).toEqual(['a/1', 'a/3', 'b/1'])
      await expectWhole(pool, { opened: 1, idle: 1, requests: 11 })
      expect(s3.connections).toHaveLength(1)
    })

    it('puts a stream that is followed by its checksum, and gets it back', async () => {
      const { s3, pool, client } = await setUpS3()
      const pieces = Array(40).fill(LARGE.subarray(0, LARGE.length / 40))
      const Body = Readable.from(pieces, { objectMode: false })
      await client.send(new PutObjectCommand({ ...object('streamed'), Body, ContentLength: LARGE.length }))
      expect(s3.uploads[0]).toMatchObject({ chunked: true, checksum: 'x-amz-checksum-crc32' })
      const { Body: stored } = await client.send(new GetObjectCommand(object('streamed')))
      expect(Buffer.from(await stored!.transformToByteArray()).equals(Buffer.concat(pieces))).toBe(true)
      await expectWhole(pool, { opened: 1, idle: 1, requests: 2 })
    })

    it('asks first whether a large body is wanted (Expect: 100-continue), on a connection of the pool', async () => {
      const { s3, pool, client } = await setUpS3()
      await client.send(new PutObjectCommand({ ...object('large'), Body: LARGE }))
      await client.send(new PutObjectCommand({ ...object('large'), Body: LARGE }))
      expect(s3.uploads.map(({ expectedContinue }) => expectedContinue)).toEqual([true, true])
      expect(s3.objects.get('large')?.content.equals(LARGE)).toBe(true)
      await expectWhole(pool, { opened: 1, idle: 1, requests: 2 })
    })

    it('uploads in parts, at most four at once', async () => {
      const { s3, pool, client } = await setUpS3({ maxConnections: 4 })
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(object('parts')))
      const parts = await Promise.all(
        Array.from({ length: 10 }, async (_, index) => {
          const Body = LARGE.subarray((index * MEGABYTE) / 2, ((index + 1) * MEGABYTE) / 2)
          const PartNumber = index + 1
          const part = { ...object('parts'), UploadId, PartNumber, Body }
          return { PartNumber, ETag: (await client.send(new UploadPartCommand(part))).ETag }
        }),
      )
      const upload = { ...object('parts'), UploadId, MultipartUpload: { Parts: parts } }
      await client.send(new CompleteMultipartUploadCommand(upload))
      expect(s3.objects.get('parts')?.content.equals(LARGE)).toBe(true)
      expect(s3.connections).toHaveLength(4)
      await expectWhole(pool, { opened: 4, idle: 4, requests: 12 })

      const { UploadId: other } = await client.send(new CreateMultipartUploadCommand(object('other')))
      await client.send(new AbortMultipartUploadCommand({ ...object('other'), UploadId: other }))
      await expect(client.send(new CompleteMultipartUploadCommand(upload))).rejects.toMatchObject({
        name: 'NoSuchUpload',
      })
    })
  })

  it('retries what the server failed at, by itself, on the same connection', async () => {
    const { service, pool } = await setUp()
    const client = s3Client(service.origin, pool, { maxAttempts: 3 })
    // A 404 would be final; nothing at that path makes the service say 503.
    await expect(client.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'busy' }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 503, attempts: 3 },
    })
    expect(service.requestCount()).toBe(3)
    await expectWhole(pool, { opened: 1, idle: 1, requests: 3 })
  })

  it('retries what keepwise must not send again, by itself, whatever the operation', async () => {
    const { service, pool } = await setUp()
    const client = s3Client(service.origin, pool, { maxAttempts: 2 })
    const command = new CreateMultipartUploadCommand({ Bucket: BUCKET, Key: 'crash' })
    await expect(client.send(command)).rejects.toMatchObject({ code: 'ECONNRESET', $metadata: { attempts: 2 } })
    expect(service.requestCount()).toBe(2)
    await expectWhole(pool, { opened: 2, idle: 0, requests: 2, replayed: 0 })
  })

  it('destroyed, ends what others have under way in the same pool, which goes on', async () => {
    const { service, pool } = await setUp()
    const [client, other] = [s3Client(service.origin, pool), awsSdk(service.origin, pool)]
    await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'ok' })).then(({ Body }) => Body?.transformToString())
    const held = expect(other.get('/held')).rejects.toMatchObject({ code: 'ECONNRESET' })
    await expect.poll(() => service.requestCount()).toBe(2)
    client.destroy()
    await held
    expect(await other.get('/ok')).toEqual({ status: 200, body: 'ok' })
    await expectWhole(pool, { opened: 2, idle: 1, requests: 3 })
  })

  it.each([{ connectionTimeout: 100 }, { requestTimeout: 100, throwOnRequestTimeout: true }])(
    'counts time in line as part of %j',
    async (handler) => {
      const { service, pool } = await setUp({ maxConnections: 1 })
      const held = awsSdk(service.origin, pool).get('/held')
      await expect.poll(() => service.requestCount()).toBe(1)
      const inLine = s3Client(service.origin, pool, { handler }).send(
        new GetObjectCommand({ Bucket: BUCKET, Key: 'ok' }),
      )
      await expect(inLine).rejects.toMatchObject({ name: 'TimeoutError' })
      service.release()
      await held
      await expectWhole(pool, { opened: 1, idle: 1, requests: 1 })
    },
  )

  it('warns that requests wait for connections', async () => {
    const { service, pool } = await setUp({ maxConnections: 2 })
    const warnings: string[] = []
    const logger = { ...console, warn: (text: string) => void warnings.push(text) }
    const client = s3Client(service.origin, pool, { handler: { socketAcquisitionWarningTimeout: 50, logger } })
    const requests = Array.from({ length: 7 }, () => client.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'held' })))
    await expect.poll(() => warnings).toHaveLength(1)
    expect(warnings[0]).toContain('socket usage at capacity=2 and 5 additional requests are enqueued')
    service.release()
    await Promise.all(requests.map(async (request) => (await request).Body?.transformToString()))
    await expectWhole(pool, { opened: 2, idle: 2, requests: 7 })
  })
})
