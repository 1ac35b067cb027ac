// A Router that spans Workers: asks the tier below for Workers, places transports on them, and
// pipes between them what is consumed on another one than it is produced on. Knows nothing of
// hosts.

import { randomBytes } from 'node:crypto'
import { checkDurations } from '../../lib/duration.ts'
import { deriveChildKey, newSessionKey } from '../../lib/handshake.ts'
import { type Link, type OpenOptions, type Tier, channel } from '../../lib/tier.ts'
import { pack } from '../placement/pack.ts'
import { scatter } from '../placement/scatter.ts'
import { Downstream } from './downstream.ts'
import { newClosedCache } from './recently-closed.ts'
import { VerticalSession } from './session.ts'
import type { VerticalSettings } from './settings.ts'
import { TierSurvey } from '../tier-survey.ts'
import { TierLoad } from './tier-load.ts'

export interface VerticalOptions {
  /**
   * Where transports go: `pack` fills few Workers, `scatter` puts each on another one, to test
   * pipes. Default `pack`.
   */
  policy?: 'pack' | 'scatter'
  /** The load of a Worker, 0 to 1, at which `pack` takes the next. Default 0.6. */
  watermark?: number
  /**
   * How many Workers one of an application may grow to. Default: as many as the tier below has
   * cores.
   */
  maxWorkers?: number
  /** How long a pipe stays without Consumers, in ms. Default 5 s. */
  linger?: number
}

/**
 * Makes the Routers of a tier span its Workers.
 *
 * @example
 * ```ts
 * await serve(vertical(leaf(mediasoup))) // beyond a core
 * await serve(vertical(horizontal([remote('ws://a:4000'), remote('ws://b:4000')]))) // beyond a host
 * ```
 */
export function vertical(
  tier: Tier,
  { policy = 'pack', watermark, maxWorkers, linger = 5_000 }: VerticalOptions = {}
): Tier {
  checkDurations({ linger })
  const node = randomBytes(6).toString('base64url')
  const tierLoad = new TierLoad(tier, node)
  const settings: VerticalSettings = {
    policy: policy === 'scatter' ? scatter : pack(watermark),
    maxWorkers,
    linger,
    tierLoad,
    survey: new TierSurvey({
      node,
      tier: 'vertical',
      load: () => tierLoad.load,
      children: () => tierLoad.below
    }),
    closed: newClosedCache()
  }

  return {
    node,
    retains: true,
    get resumable() {
      return tier.resumable
    },
    get draining() {
      return tier.draining
    },
    figures: async () => ({
      load: tierLoad.load,
      ...(await tier.figures?.()),
      tier: 'vertical'
    }),
    open,
    close: () => tier.close()
  }

  async function open({
    key,
    resume,
    budget,
    entry,
    realm,
    whose
  }: OpenOptions = {}): Promise<Link> {
    await tierLoad.join()
    try {
      const below = await tier.open({
        key: key && deriveChildKey(key, tier.name ?? ''),
        resume,
        budget,
        entry,
        realm,
        whose
      })
      below.once('close', () => tierLoad.leave())
      const own = key ?? newSessionKey()
      const [ours, theirs] = channel()
      new VerticalSession({
        link: ours,
        whose,
        below: new Downstream(below),
        tier: node,
        // A process that takes the place of this one comes to the same name.
        node: deriveChildKey(own, 'handles').session,
        settings,
        session: own.session,
        isNew: resume
      })
      return theirs
    } catch (error) {
      tierLoad.leave()
      throw error
    }
  }
}
