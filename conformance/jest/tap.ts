// A tier whose sessions accept frames that its peer never sent.

import type { Frame, Link, Tier } from '../../lib/index.ts'

export type Inject = (frame: Frame) => void

/** Frames that are injected reach the client at once, as if they had just come from its peer. */
export function tap(tier: Tier): { tier: Tier; inject: Inject } {
  let link: Link | undefined
  const open = async () => (link = await tier.open())
  return { tier: { open }, inject: frame => link?.emit('frame', frame) }
}
