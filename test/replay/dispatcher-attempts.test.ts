/** Two replays at the most, the last of them on a new connection. */
import { describeAttempts } from './attempts.js'
import { throughDispatcher } from './faces.js'

describeAttempts(throughDispatcher)
