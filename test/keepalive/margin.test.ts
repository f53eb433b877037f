import { describe, expect, it } from 'vitest'
import { automaticMargin } from '../../src/keepalive/margin.js'

describe('the automatic margin', () => {
  it('is 50 ms where nothing is known', () => {
    expect(automaticMargin(0, 0, 0)).toBe(50)
  })

  it('is 50 ms as long as the sum is not larger', () => {
    expect(automaticMargin(20, 5, 10)).toBe(50)
    expect(automaticMargin(20, 5, 10.5)).toBe(50.5)
  })

  it('is the round trip, four times its variance and the lag: 100 + 4 x 25 + 30 = 230 ms', () => {
    expect(automaticMargin(100, 25, 30)).toBe(230)
  })
})
