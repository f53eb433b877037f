/** Which raced requests are sent again under which level, through the agents. */
import { throughAgents } from './faces.js'
import { describeLevels } from './levels.js'

describeLevels(throughAgents)
