// Children of a cluster are like each other: what an application learned from one is true of all.
// Where they are not, as in the middle of an upgrade, the most numerous kind gets the new Workers.

import { createHash } from 'node:crypto'
import type { Hello } from '../../lib/hello.ts'

/** What children must have in common, as one string. */
export function likenessOf(hello: Hello, mixedVersions: boolean): string {
  const { model, mediasoup, supportedRtpCapabilities } = hello
  if (mixedVersions) return model
  const hash = createHash('sha256').update(JSON.stringify(supportedRtpCapabilities))
  return `${model} ${mediasoup} ${hash.digest('base64url')}`
}

/** What most of them have; of equally many, what was so before, else what the first has. */
export function majorityOf(
  likenesses: readonly string[],
  before: string | undefined
): string | undefined {
  const counts = new Map<string, number>()
  for (const likeness of likenesses) counts.set(likeness, (counts.get(likeness) ?? 0) + 1)
  let [most, count] = [before, counts.get(before ?? '') ?? 0]
  for (const [likeness, own] of counts) if (own > count) [most, count] = [likeness, own]
  return most
}

/** How a child differs from one that is as most are. */
export function differenceOf(hello: Hello, sibling: Hello): string {
  if (hello.model !== sibling.model) {
    return `describes mediasoup ${hello.mediasoup} in another way than mediasoup ${sibling.mediasoup}`
  }
  if (hello.mediasoup !== sibling.mediasoup) {
    return `has mediasoup ${hello.mediasoup}, and its siblings have ${sibling.mediasoup}`
  }
  return 'supports other RTP capabilities than its siblings'
}
