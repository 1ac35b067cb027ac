// A leaf turns the mediasoup of its host into messages, and back. It is one of the two places where objects exist.

import { randomBytes } from 'node:crypto'
import type * as mediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { type Link, type Tier, pair } from '../lib/tier.ts'
import { type Hello, PROTOCOL } from '../lib/hello.ts'
import { digest } from '../lib/methods.ts'
import { version } from '../lib/version.ts'
import { type HostRules, hostRules, pipeListenInfo } from './host.ts'
import { LoadMeter } from './load.ts'
import { Logs } from './logs.ts'
import { Session } from './session.ts'

export type Mediasoup = typeof mediasoup

export interface LeafOptions extends HostRules {
  /** What mediasoup logs here, as setLogEventListeners() takes it: a leaf sets mediasoup's listeners itself, because sessions hear of their Workers. */
  log?: ms.LogEventListeners
}

/** What all sessions of a leaf share. */
export interface Leaf {
  mediasoup: Mediasoup
  hello: Hello
  nextHandle(): string
  /** Where this host listens to pipes from other hosts. */
  pipeListenInfo: ms.TransportListenInfo
  readonly logs: Logs
  readonly meter: LoadMeter
  applyRules(member: string, args: unknown[]): void
}

/**
 * Makes a tier of the mediasoup of this host.
 *
 * mediasoup itself leaves some promises without a handler (a pipe that is paused while its other end closes), so a process
 * that must go on listens to `unhandledRejection`, as `mafalda serve` does.
 *
 * @example
 * ```ts
 * import * as mediasoup from 'mediasoup'
 * await serve(leaf(mediasoup, { announcedAddress: '203.0.113.7' }), { port: 4000 })
 * ```
 */
export function leaf(mediasoup: Mediasoup, options: LeafOptions = {}): Tier {
  const node = randomBytes(6).toString('base64url')
  let serial = 0
  const shared: Leaf = {
    mediasoup,
    hello: {
      protocol: PROTOCOL,
      mafalda: version,
      mediasoup: mediasoup.version,
      model: digest,
      node,
      workerBin: mediasoup.workerBin,
      supportedRtpCapabilities: mediasoup.getSupportedRtpCapabilities()
    },
    nextHandle: () => `${node}/${++serial}`,
    pipeListenInfo: pipeListenInfo(options),
    logs: new Logs(mediasoup, options.log),
    meter: new LoadMeter(),
    applyRules: hostRules(mediasoup, options)
  }
  return { node, open: async () => openSession(shared) }
}

function openSession(shared: Leaf): Link {
  const [ours, theirs] = pair()
  new Session(shared, ours)
  return theirs
}
