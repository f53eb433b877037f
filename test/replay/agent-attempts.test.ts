/** Two replays at the most, the last of them on a new connection. */
import { describeAttempts } from './attempts.js'
import { throughAgents } from './faces.js'

describeAttempts(throughAgents)
