import { describe, expect, it } from 'vitest'
import { AIMED, schedule } from '../../bench/race/schedule.js'

const setting = { seed: 7, lanes: 30, requests: 1000, closeAfter: 1000, aimed: 1 }

describe('the schedule of a race', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(schedule(setting)).toEqual(schedule(setting))
    expect(schedule({ ...setting, seed: 8 })).not.toEqual(schedule(setting))
  })

  it('gives exactly as many requests as asked for, evenly to the lanes', () => {
    const counts = schedule(setting).map(({ idles }) => idles.length)
    expect(counts.reduce((sum, count) => sum + count)).toBe(1000)
    expect(Math.max(...counts) - Math.min(...counts)).toBe(1)
  })

  it('aims from 60 ms before the close to 10 ms after it, at every moment alike', () => {
    const idles = schedule(setting).flatMap((lane) => lane.idles)
    expect(Math.min(...idles)).toBeGreaterThanOrEqual(940)
    expect(Math.max(...idles)).toBeLessThan(1010)
    const width = (AIMED.to - AIMED.from) / 7
    const counts = Array.from({ length: 7 }, (_, part) => {
      const from = 1000 + AIMED.from + part * width
      return idles.filter((idle) => idle >= from && idle < from + width).length
    })
    // 143 of 1000 in each part is the mean; these are four standard deviations.
    for (const count of counts) expect(Math.abs(count - 1000 / 7)).toBeLessThan(45)
  })

  it('sends the share that is not aimed earlier', () => {
    const idles = schedule({ ...setting, closeAfter: 3000, aimed: 0.5 }).flatMap((lane) => lane.idles)
    const early = idles.filter((idle) => idle < 2940)
    expect(early.length).toBeGreaterThan(430)
    expect(early.length).toBeLessThan(570)
    expect(Math.min(...early)).toBeGreaterThanOrEqual(100)
  })
})
