/** The S3 client of the AWS SDK, over its NodeHttpHandler. The path of a request is the key of an object. */
import { CompleteMultipartUploadCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { NodeHttpHandler } from '@smithy/node-http-handler'

export const BUCKET = 'bucket'

/**
 * @param {string} origin
 * @param {import('../support/caller.js').Agents} [agents]
 * @param {{ handler?: import('@smithy/node-http-handler').NodeHttpHandlerOptions, maxAttempts?: number }} [options]
 */
export function s3Client(origin, agents, { handler = {}, maxAttempts = 1 } = {}) {
  return new S3Client({
    endpoint: origin,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    forcePathStyle: true,
    maxAttempts,
    requestHandler: new NodeHttpHandler({ ...onlyAgents(agents), ...handler }),
  })
}

/** @type {import('../support/caller.js').MakeCaller} */
export function awsSdk(origin, agents) {
  const client = s3Client(origin, agents)
  const send = ({ signal, timeout } = {}, command) => {
    if (timeout === undefined) return client.send(command, { abortSignal: signal })
    // A limit is the handler's, so one that has it is made for the one request.
    const limited = s3Client(origin, agents, { handler: { requestTimeout: timeout, throwOnRequestTimeout: true } })
    return limited.send(command, { abortSignal: signal })
  }
  const object = (path) => ({ Bucket: BUCKET, Key: path.slice(1) })
  const statusOf = ({ $metadata }) => $metadata.httpStatusCode
  const unquoted = (tag) => tag?.replaceAll('"', '')

  return {
    async get(path, options) {
      const answer = await send(options, new GetObjectCommand(object(path)))
      return { status: statusOf(answer), body: await answer.Body.transformToString() }
    },
    async post(path, body, options) {
      const upload = { UploadId: body, MultipartUpload: { Parts: [{ ETag: body, PartNumber: 1 }] } }
      const answer = await send(options, new CompleteMultipartUploadCommand({ ...object(path), ...upload }))
      return { status: statusOf(answer), body: unquoted(answer.ETag) }
    },
    download: async (path, options) => (await send(options, new GetObjectCommand(object(path)))).Body,
    async upload(path, body, size, options) {
      const command = new PutObjectCommand({ ...object(path), Body: body, ContentLength: size })
      const answer = await send(options, command)
      return { status: statusOf(answer), body: unquoted(answer.ETag) }
    },
  }
}

/** What is given may be a pool, which has more. */
function onlyAgents(agents) {
  return agents && { httpAgent: agents.httpAgent, httpsAgent: agents.httpsAgent }
}
