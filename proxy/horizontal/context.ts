// What a session on a cluster needs of the cluster.

import type { EventEmitter } from 'node:events'
import type { Hello } from '../../lib/hello.ts'
import type { Load } from '../../lib/load.ts'
import type { Tier } from '../../lib/tier.ts'
import type { Wanted } from '../../lib/wanted.ts'
import type { TierSurvey } from '../tier-survey.ts'
import type { Child } from './child.ts'

export type HorizontalEvents = {
  /** A child can be reached, is like its siblings, and gets its share of new Workers. */
  up: [tier: Tier]
  /** A child cannot be reached any more: its Workers have died. It is tried again. */
  down: [tier: Tier, error: Error]
  /** A child could not be reached, for another reason than before. It is tried again. */
  failed: [tier: Tier, error: Error]
  /**
   * A child gets no new Workers, because it is not like its siblings: the error says how. Those
   * that it has live on. It is told once, and `up` when the child, or most of the others, have
   * changed.
   */
  refused: [tier: Tier, error: Error]
  /** Its load changed; told at most once a second. */
  load: [load: Load]
  /** A child has ended that was given back by `drain()`: it is empty, or its time is over. */
  drained: [tier: Tier]
  /** More hosts are wanted, or fewer, or one has come or gone. Only with `scale`. */
  wanted: [wanted: Wanted]
}

export interface ClusterContext extends EventEmitter<HorizontalEvents> {
  readonly node: string
  readonly children: Iterable<Child>
  readonly load: Load
  readonly survey: TierSurvey
  /**
   * How long a session may wait for the first child to be up, and for each that another process
   * had, in ms.
   */
  readonly patience: number
  /** How long a child may take to answer a request, in ms. */
  readonly timeout: number
  /**
   * For a session: answers, for each of its Workers, the children that it may go to, the best
   * first.
   */
  newOrder(): () => Iterable<Child>
  has(tier: Tier): boolean
  /**
   * No child took a Worker.
   *
   * @param by who asked
   * @param count how many Workers they wait for, with this one: who asks again waits for no more
   */
  refused(by: object, count: number): void
  /**
   * Whether a child that cannot be reached may just be late: it was there, or was not tried for
   * long.
   */
  maybeLate(child: Child): boolean
  /**
   * While all children that are up have lost their connections: until one is regained, or all are
   * given up, or for the timeout.
   */
  untilRegained(): Promise<void>
  /** What the cluster says of itself to a tier, or a client, at the end of a path of tiers. */
  hello(via: string[]): Promise<Hello>
}
