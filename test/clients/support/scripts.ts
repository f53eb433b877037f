/** What a scripted server does for clients of every kind. */
import { response } from '../../support/servers/script-steps.js'
import type { Step } from '../../support/servers/scripted.js'

/** An answer that an S3 client takes as well: to its POST, which completes an upload. */
const BODY = '<CompleteMultipartUploadResult><ETag>"1"</ETag></CompleteMultipartUploadResult>'

/** Takes requests for ever and answers each, `100 Continue` included. */
export const answerAll: Step = async (connection) => {
  for (;;) {
    await connection.takeRequest()
    await connection.send(response({ body: BODY, headers: { 'content-type': 'application/xml' } }))
  }
}
