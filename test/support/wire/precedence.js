/** Puts this process before ordinary ones: for a relay that sleeps nearly always and must wake on the millisecond. */
import os from 'node:os'
import koffi from 'koffi'

const SCHED_RR = 2

export function takePrecedence() {
  const schedule = koffi.load(null).func('int sched_setscheduler(int pid, int policy, void *priority)')
  const lowest = Buffer.alloc(4)
  lowest.writeInt32LE(1)
  // Containers may forbid it. Being nice less is then what is left: it counts only within a session of processes.
  if (schedule(0, SCHED_RR, lowest) !== 0) os.setPriority(os.constants.priority.PRIORITY_HIGHEST)
}
