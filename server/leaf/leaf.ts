// A leaf turns the mediasoup of its host into messages, and back. It is one of the two places where
// objects exist.

import { randomBytes } from 'node:crypto'
import type * as ms from 'mediasoup/types'
import { checkDurations } from '../../lib/duration.ts'
import { DrainingError, SessionError } from '../../lib/errors.ts'
import { type Tier, channel } from '../../lib/tier.ts'
import { PROTOCOL } from '../../lib/hello.ts'
import { OpenLinks } from '../../lib/open-links.ts'
import type { Mediasoup } from '../../lib/mediasoup.ts'
import { digest } from '../../lib/methods.ts'
import { version } from '../../lib/version.ts'
import { Lending } from './borrow/lending.ts'
import type { Leaf } from './context.ts'
import { Drain } from './drain.ts'
import { type HostRules, hostRules } from './host-rules.ts'
import { LoadMeter } from './load-meter.ts'
import { Logs } from './logs.ts'
import { Network } from './network/network.ts'
import { loopbackId, pipeAddressOf } from './network/pipe-address.ts'
import { newClosedCache } from './objects.ts'
import { PipeMeter } from './pipe-meter.ts'
import { LeafSurvey } from './survey.ts'
import { Pool } from './share/pool.ts'
import { Session } from './session.ts'
import { type TurnOptions, iceServers } from './turn.ts'
import { WorkerProcesses } from './worker-processes.ts'

export interface LeafOptions extends HostRules {
  /** Listeners for mediasoup's logs, as for setLogEventListeners(), which the leaf calls itself. */
  log?: ms.LogEventListeners
  /**
   * Makes the Workers of sessions shares of real ones with the same settings, so that applications
   * do not fight for cores. Default false.
   */
  shareWorkers?: boolean
  /**
   * How many real Workers sessions share. Default, and at most: one per core. A session that asks
   * for more by itself gets them.
   */
  poolSize?: number
  /**
   * How many real Workers this host may have, over all sessions: a call that needs one more is
   * refused. Default: as many as sessions ask for.
   */
  maxWorkers?: number
  /** The TURN server beside this host. Default: there is none. */
  turn?: TurnOptions
  /** How long a real Worker without shares stays, in ms. Default 5 s. */
  linger?: number
  /**
   * How long a Worker may take to answer a call, in ms: then it fails, and what it makes later is
   * closed. Default 60 s.
   */
  timeout?: number
}

/**
 * The tier of the mediasoup of this host. Whoever serves it ends its process on `end` of its drain,
 * and keeps signals from mediasoup, whose Workers close themselves on SIGTERM and SIGINT.
 */
export interface LeafTier extends Tier {
  readonly drain: Drain
}

/**
 * Makes a tier of the mediasoup of this host.
 *
 * mediasoup itself leaves some promises without a handler (a pipe that is paused while its other
 * end closes), so a process that must go on listens to `unhandledRejection`, as `mafalda serve`
 * does.
 *
 * @example
 * ```ts
 * import * as mediasoup from 'mediasoup'
 * await serve(leaf(mediasoup, { announcedAddress: '203.0.113.7' }), { port: 4000 })
 * ```
 */
export function leaf(mediasoup: Mediasoup, options: LeafOptions = {}): LeafTier {
  const node = randomBytes(6).toString('base64url')
  const {
    shareWorkers = false,
    poolSize = Infinity,
    maxWorkers = Infinity,
    linger = 5_000,
    timeout = 60_000
  } = options
  checkDurations({ linger, timeout })
  const meter = new LoadMeter(Math.min(poolSize, maxWorkers), shareWorkers)
  const processes = new WorkerProcesses(mediasoup, maxWorkers)
  const pool = new Pool(processes, { size: meter.load.capacity, linger, meter })
  const drain = new Drain(meter)
  const pipes = new PipeMeter()
  const checkHost = hostRules(mediasoup, options)
  const pipeAddress = pipeAddressOf(options)
  const log = (text: string) => options.log?.onwarn?.('mafalda:leaf', text)
  const links = new OpenLinks()
  let serial = 0
  const shared: Leaf = {
    createWorker: async (tenant, settings) => {
      const worker = await (shareWorkers
        ? pool.createWorker(tenant, settings)
        : processes.start(settings))
      if (!shareWorkers) meter.addWorker(worker, settings)
      if (!meter.draining) return worker
      worker.close()
      throw new DrainingError('the host began to drain in the meantime')
    },
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
    timeout,
    pipeListenInfo: { protocol: 'udp', ip: pipeAddress, loopback: loopbackId() },
    iceServers: iceServers(options.turn),
    network: new Network({ ...options, pipeAddress, log }),
    logs: new Logs(mediasoup, options.log),
    meter,
    pipes,
    drain,
    survey: new LeafSurvey({ node, mediasoup: mediasoup.version, meter, drain }),
    lending: new Lending(),
    closed: newClosedCache(),
    applyRules: (member, args) => {
      drain.check(member)
      checkHost(member, args)
    }
  }
  return {
    node,
    drain,
    retains: true,
    get draining() {
      return meter.draining
    },
    figures: async () => ({
      tier: 'leaf',
      mediasoup: mediasoup.version,
      load: meter.load,
      host: {
        objects: meter.counts,
        cores: meter.cores,
        died: meter.died,
        pipes: await pipes.measure()
      }
    }),
    open: async ({ resume, whose, realm } = {}) => {
      links.check()
      if (resume) throw new SessionError('the session is gone: its leaf has ended, or restarted')
      const [ours, theirs] = channel()
      new Session(shared, links.add(ours), { whose, realm })
      return theirs
    },
    close() {
      links.close()
      pool.close()
    }
  }
}
