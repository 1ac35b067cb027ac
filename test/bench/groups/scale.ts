// A day of a service with up to 500 hosts and a flash crowd in the evening, in virtual time: what the
// hosts cost, and how many Workers found no core, ours against a HorizontalPodAutoscaler by CPU.

import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'
import { SCALE_DEFAULTS } from '../../../proxy/placement/scale-options.ts'
import { type CloudOptions, SimulatedCloud, scaled } from '../../kit/simulated-cloud.ts'
import { autoscaled } from '../../kit/simulated-hpa.ts'
import { type Group, type Row, quick, row } from '../measure.ts'

const HOUR = 3_600_000
const STEP = 5_000
const STAY_MS = 20 * 60_000
const TARGET = 0.6
// The target at which HPA acts, because of its tolerance.
const LATER = 0.66
const CORES = 8
const USAGE = 0.8
const WARMUP_MS = 120_000

// For a test that everything runs, a short day of few hosts.
const [HOSTS, FROM, TO] = quick ? [20, 17, 20] : [500, 0, 24]
/** Workers at a time, at the busiest time of a usual day. */
const PEAK = HOSTS * CORES * 0.55
const FLASH = { from: 19 * HOUR, to: 19 * HOUR + 5 * 60_000, times: 5 }

interface Day {
  hostHours: number
  refused: number
}

type Scaling = (cloud: SimulatedCloud) => () => unknown

const bounds = { target: TARGET, min: 3, max: HOSTS }
const ours =
  (target = TARGET): Scaling =>
  cloud =>
    scaled(cloud, { ...SCALE_DEFAULTS, ...bounds, target, settle: 0 })
const hpa: Scaling = cloud => autoscaled(cloud, bounds)

/** How many Workers come in a second. */
function arrivals(at: number): number {
  const usual = 0.1 + 0.45 * (1 - Math.cos((2 * Math.PI * (at - 3 * HOUR)) / (24 * HOUR)))
  const isFlash = at >= FLASH.from && at < FLASH.to
  return ((PEAK * usual) / (STAY_MS / 1_000)) * (isFlash ? FLASH.times : 1)
}

function live(placement: CloudOptions['placement'], scaling: Scaling): Day {
  const generator = xoroshiro128plus(13)
  const wait = (mean: number) => -Math.log(1 - uniformFloat64(generator)) * mean
  const busy = (arrivals(FROM * HOUR) * STAY_MS) / 1_000
  const cloud = new SimulatedCloud(
    { cores: CORES, usage: USAGE, warmup: WARMUP_MS, placement },
    Math.max(bounds.min, Math.ceil((busy * USAGE) / TARGET / CORES))
  )
  cloud.at = FROM * HOUR
  for (let i = 0; i < busy; i++) cloud.place(wait(STAY_MS))
  const decide = scaling(cloud)
  for (let next = cloud.at; cloud.at < TO * HOUR; cloud.step(STEP)) {
    for (; next <= cloud.at; next += wait(1_000 / arrivals(cloud.at))) cloud.place(wait(STAY_MS))
    decide()
  }
  return { hostHours: cloud.hostMs / HOUR, refused: cloud.refused }
}

export const scale: Group = {
  name: 'scale',
  about: `a day with up to ${HOSTS} hosts in virtual time, against an autoscaler by CPU at ${TARGET}`,

  async run() {
    const byHpa = live('most-free', hpa)
    return [
      ...rowsOf('HPA', byHpa),
      ...rowsOf('ours', live('most-free', ours()), byHpa),
      ...rowsOf('ours, --policy first', live('first', ours()), byHpa),
      ...rowsOf(`ours, --policy first --scale-target ${LATER}`, live('first', ours(LATER)), byHpa)
    ]
  }
}

function rowsOf(who: string, { hostHours, refused }: Day, to?: Day): Row[] {
  return [
    row({
      what: `host-hours, ${who}`,
      unit: 'h',
      samples: [{ value: hostHours }],
      to: to && { HPA: [{ value: to.hostHours }] }
    }),
    row({ what: `Workers that found no core, ${who}`, unit: '', samples: [{ value: refused }] })
  ]
}
