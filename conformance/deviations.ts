// What a tier may do differently, and why. The aim is to keep this list empty: only what is a fact
// of one process or host belongs here. A deviation that no longer shows is reported, so that it is
// removed.

export interface Deviation {
  /** The test file, if several have a test of this name. */
  file?: string
  test: string
  /** Names of tiers; `url` stands for those that were running before. */
  tiers: readonly string[]
  reason: string
}

export const deviations: readonly Deviation[] = [
  {
    test: 'mediasoup.createWorker() succeeds',
    tiers: ['url'],
    reason:
      'it names a certificate in a temporary folder of this disk, and hosts only open files that their operator allows'
  },
  ...['router.pipeToRouter() succeeds with audio', 'router.pipeToRouter() succeeds with video'].map(
    test => ({
      test,
      tiers: ['horizontal', 'aggregated', 'aggregated-scatter', 'three-levels'],
      reason:
        'between hosts RTX is on unless the application says otherwise, so the pipe Consumer has its RTCP feedback'
    })
  )
]
