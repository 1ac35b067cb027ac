// A tree that nobody runs, for the page: hosts, Workers and rooms, whose loads change each second.

import { IDLE } from '../../lib/load.ts'
import type {
  SurveyDetail,
  SurveyEntry,
  SurveyOptions,
  SurveyedRouter,
  SurveyedTier,
  SurveyedTransport,
  SurveyedWorker
} from '../../lib/survey.ts'

export interface InventedTree {
  survey(options: SurveyOptions): SurveyEntry[]
  /** A second goes by: what is other then, beside what is put. */
  tick(put?: readonly SurveyEntry[]): SurveyEntry[]
}

const CORES = 8
const MEBIBYTE = 2 ** 20

/** The same each time, so that pictures are. */
function randomOf(seed: number) {
  return () => {
    seed = (seed * 1_664_525 + 1_013_904_223) % 2 ** 32
    return seed / 2 ** 32
  }
}

const random = randomOf(7)
const between = (least: number, most: number) => least + random() * (most - least)
const whole = (least: number, most: number) => Math.floor(between(least, most + 1))

export function inventTree({
  hosts = 6,
  workersEach = 8,
  rooms = 60,
  now = Date.now()
} = {}): InventedTree {
  const entries = new Map<string, SurveyEntry>()
  const put = <T extends SurveyEntry>(entry: T) => {
    entries.set(entry.id, entry)
    return entry
  }
  const root = put(tier('vjw3kd', null, 'vertical', now - 9 * 3_600_000))
  const cluster = put({
    ...tier('m4x0pl', root.id, 'horizontal', now - 9 * 3_600_000),
    name: 'ws://cluster:4100/'
  })
  for (const [i, subject] of ['conference', 'webinar', 'support'].entries())
    put({
      ...{ id: `${root.id}/session/s${i}`, of: root.id, kind: 'session' as const, subject },
      ...{
        address: `10.0.1.${12 + i}`,
        since: now - whole(1, 9) * 3_000_000,
        objects: whole(200, 1_900)
      }
    })
  const workers: SurveyedWorker[] = []
  for (let h = 0; h < hosts; h++) {
    const host = put({
      ...tier(
        `h${(h + 10).toString(36)}${(h * 7919 + 1296).toString(36).slice(-3)}`,
        cluster.id,
        'leaf',
        now - whole(1, 80) * 900_000
      ),
      name: `ws://media-${h + 1}:4000/`
    })
    for (let w = 0; w < workersEach; w++)
      workers.push(
        put({
          ...{
            id: `${host.id}/${w + 1}`,
            of: host.id,
            kind: 'Worker' as const,
            pid: 4_000 + h * 97 + w * 3
          },
          ...{
            cpu: between(0.04, 0.5),
            memory: whole(40, 160) * MEBIBYTE,
            sessions: [`${root.id}/session/s${w % 3}`]
          }
        })
      )
  }
  for (let r = 0; r < rooms; r++) room(r)
  const invented = { hot: workers[3]!, slow: workers[9] ?? workers[0]! }
  sums()

  return { survey, tick }

  function room(r: number) {
    // Every other room spans two Workers, or three.
    const parts = Array.from({ length: [1, 2, 1, 3][r % 4]! }, (_, part) => {
      const worker = workers[(r * 13 + part * (workersEach + 1)) % workers.length]!
      return router(worker, r, part)
    })
    for (const [i, one] of parts.entries()) for (const other of parts.slice(i + 1)) pipe(one, other)
  }

  function router(worker: SurveyedWorker, r: number, part: number): SurveyedRouter {
    const people = whole(2, rooms > 500 ? 3 : 7)
    const entry = put({
      ...{
        id: `${worker.of}/${100 + r * 4 + part}`,
        of: worker.id,
        kind: 'Router' as const,
        session: worker.sessions[0]!
      },
      ...{ transports: people * 2, producers: people * 2, consumers: people * 9 }
    })
    if (rooms > 500) return entry // Only seen from afar.
    for (let p = 0; p < people; p++) participant(entry, p)
    return entry
  }

  function participant(router: SurveyedRouter, p: number) {
    const base = `${router.id.split('/')[0]}/${router.id.split('/')[1]}${p}`
    for (const way of ['send', 'recv'] as const) {
      const transport = put({
        ...{
          id: `${base}${way === 'send' ? 1 : 2}`,
          of: router.id,
          kind: 'WebRtcTransport' as const
        },
        ...{ iceState: 'completed', dtlsState: 'connected', sctpState: 'connected' },
        ...{
          local: `203.0.113.${whole(2, 9)}:${whole(40_000, 40_999)}`,
          remote: `198.51.100.${whole(1, 250)}:${whole(20_000, 60_000)}`
        },
        ...{
          bitrateIn: way === 'send' ? between(6e5, 2.4e6) : between(8e3, 3e4),
          bitrateOut: way === 'recv' ? between(2e6, 9e6) : between(8e3, 3e4),
          packetsLost: whole(0, 40)
        }
      })
      for (const media of ['audio', 'video'] as const)
        put(
          way === 'send'
            ? {
                ...{
                  id: `${transport.id}${media[0]}p`,
                  of: transport.id,
                  kind: 'Producer',
                  media,
                  paused: random() < 0.15
                },
                ...{
                  codec: media === 'audio' ? 'audio/opus' : 'video/VP8',
                  type: media === 'audio' ? 'simple' : 'simulcast'
                },
                ...{
                  score: whole(8, 10),
                  bitrateIn: media === 'audio' ? 32_000 : between(5e5, 2e6),
                  packetsLost: whole(0, 9)
                }
              }
            : {
                ...{
                  id: `${transport.id}${media[0]}c`,
                  of: transport.id,
                  kind: 'Consumer',
                  media,
                  paused: false,
                  producerPaused: false
                },
                ...{
                  codec: media === 'audio' ? 'audio/opus' : 'video/VP8',
                  type: media === 'audio' ? 'simple' : 'simulcast'
                },
                ...{
                  producerId: crypto.randomUUID(),
                  score: p === 1 && media === 'video' ? 3 : whole(8, 10),
                  keyFrameRequests: whole(0, 7)
                },
                ...{
                  bitrateOut: media === 'audio' ? 32_000 : between(5e5, 2e6),
                  packetsLost: whole(0, 9),
                  layers: media === 'video' ? { spatialLayer: 2, temporalLayer: 2 } : undefined
                }
              }
        )
    }
  }

  function pipe(one: SurveyedRouter, other: SurveyedRouter) {
    const serial = whole(10_000, 99_999)
    const ids = [
      `${one.id.split('/')[0]}/${serial}`,
      `${other.id.split('/')[0]}/${serial + 1}`
    ] as const
    const [bitrateIn, bitrateOut] = [between(5e5, 8e6), between(5e5, 8e6)]
    const end = (i: 0 | 1, of: string): SurveyedTransport => ({
      ...{ id: ids[i], of, kind: 'PipeTransport', peer: ids[i ? 0 : 1], packetsLost: 0 },
      ...{
        local: `10.0.0.${i + 2}:${serial % 60_000}`,
        remote: `10.0.0.${i ? 2 : 3}:${serial % 60_000}`
      },
      ...(i ? { bitrateIn: bitrateOut, bitrateOut: bitrateIn } : { bitrateIn, bitrateOut })
    })
    put(end(0, one.id))
    put(end(1, other.id))
  }

  function tick(others: readonly SurveyEntry[] = []): SurveyEntry[] {
    const changed: SurveyEntry[] = others.map(put)
    for (const entry of entries.values()) {
      const next = drifted(entry)
      if (next) changed.push(put(next))
    }
    return [...new Map([...changed, ...sums()].map(entry => [entry.id, entry])).values()]
  }

  function drifted(entry: SurveyEntry): SurveyEntry | undefined {
    if (entry.kind === 'Worker') {
      const isHot = entry.id === invented.hot.id
      const [least, most] = isHot ? [0.66, 0.93] : [0.02, 0.57]
      return { ...entry, cpu: clamp((entry.cpu ?? 0) + between(-0.05, 0.05), least, most) }
    }
    if (!('bitrateIn' in entry) && !('bitrateOut' in entry)) return undefined
    const { bitrateIn, bitrateOut } = entry as SurveyedTransport
    const drift = (rate?: number) => rate && Math.max(0, rate * between(0.94, 1.065))
    return { ...entry, bitrateIn: drift(bitrateIn), bitrateOut: drift(bitrateOut) } as SurveyEntry
  }

  /** The loads of tiers follow from those of their Workers. */
  function sums(): SurveyEntry[] {
    const below = [...entries.values()]
    const hosts = below.filter(
      (entry): entry is SurveyedTier => entry.kind === 'tier' && entry.tier === 'leaf'
    )
    const total = { ...IDLE }
    const routers = Map.groupBy(
      below.filter(entry => entry.kind === 'Router'),
      ({ id }) => id.split('/')[0]!
    )
    const all = Map.groupBy(
      below.filter(entry => entry.kind === 'Worker'),
      ({ of }) => of
    )
    const changed: SurveyEntry[] = hosts.map(host => {
      const mine = all.get(host.id) ?? []
      const rooms = routers.get(host.id) ?? []
      const load = {
        ...total,
        capacity: CORES,
        used: mine.reduce((sum, { cpu = 0 }) => sum + cpu, 0),
        workers: mine.length,
        routers: rooms.length,
        consumers: rooms.reduce((sum, { consumers }) => sum + consumers, 0)
      }
      return put({ ...host, load, eventLoopDelay: between(1, 6) })
    })
    for (const { load } of changed as SurveyedTier[])
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += load[key]
    for (const above of [root, cluster])
      changed.push(
        put({
          ...(entries.get(above.id) as SurveyedTier),
          load: total,
          eventLoopDelay: between(1, 4)
        })
      )
    return changed
  }

  function survey({ detail = 'routers', also = [] }: SurveyOptions): SurveyEntry[] {
    const picked = new Set<string>()
    for (const entry of entries.values())
      if (LEVELS.indexOf(levelOf(entry)) <= LEVELS.indexOf(detail)) picked.add(entry.id)
    for (const view of also)
      for (const entry of entries.values())
        if (entry.id === view.under || picked.has(`below ${entry.of}`) || entry.of === view.under) {
          picked.add(`below ${entry.id}`)
          if (LEVELS.indexOf(levelOf(entry)) <= LEVELS.indexOf(view.detail ?? 'routers'))
            picked.add(entry.id)
        }
    return [...entries.values()].filter(({ id }) => picked.has(id))
  }
}

const LEVELS: SurveyDetail[] = ['tiers', 'workers', 'routers', 'transports', 'all']

function levelOf({ kind }: SurveyEntry): SurveyDetail {
  if (kind === 'tier' || kind === 'session') return 'tiers'
  if (kind === 'Worker') return 'workers'
  if (kind === 'Router') return 'routers'
  return kind.endsWith('Transport') ? 'transports' : 'all'
}

const clamp = (value: number, least: number, most: number) => Math.max(least, Math.min(most, value))

const tier = (
  id: string,
  of: string | null,
  sort: SurveyedTier['tier'],
  since: number
): SurveyedTier => ({
  ...{ id, of, kind: 'tier', tier: sort, mafalda: '0.9.0', mediasoup: '3.27.1', since },
  ...{ memory: whole(90, 210) * MEBIBYTE, eventLoopDelay: 2 },
  load: IDLE
})
