// What a tier costs, against baselines of the same run. A missed target fails nothing.
//
//   npm run bench -- [group …] [--json FILE] [--quick]

import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { version as mediasoup } from 'mediasoup'
import { calls } from './groups/calls.ts'
import { delay } from './groups/delay.ts'
import { events } from './groups/events.ts'
import { fairness } from './groups/fairness.ts'
import { functionCalls } from './groups/function-calls.ts'
import { growth } from './groups/growth.ts'
import { hops } from './groups/hops.ts'
import { joins } from './groups/joins.ts'
import { links } from './groups/links.ts'
import { memory } from './groups/memory.ts'
import { metrics } from './groups/metrics.ts'
import { monitor } from './groups/monitor.ts'
import { pipes } from './groups/pipes.ts'
import { proxies } from './groups/proxies.ts'
import { deaths } from './groups/deaths.ts'
import { recovery } from './groups/recovery.ts'
import { register } from './groups/register.ts'
import { routes } from './groups/routes.ts'
import { rtp } from './groups/rtp.ts'
import { scale } from './groups/scale.ts'
import { start } from './groups/start.ts'
import { survey } from './groups/survey.ts'
import { thousand } from './groups/thousand.ts'
import { throughput } from './groups/throughput.ts'
import { trees } from './groups/trees.ts'
import { exitOnSignals } from '../kit/processes.ts'
import type { Row } from './measure.ts'
import { table } from './table.ts'

const GROUPS = [
  calls,
  throughput,
  hops,
  proxies,
  joins,
  trees,
  events,
  memory,
  routes,
  rtp,
  start,
  links,
  recovery,
  deaths,
  pipes,
  growth,
  delay,
  thousand,
  fairness,
  survey,
  functionCalls,
  metrics,
  register,
  monitor,
  scale
]

const {
  values: { json },
  positionals: names
} = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string', default: 'bench-results.json' }, quick: { type: 'boolean' } }
})

for (const name of names) {
  if (!GROUPS.some(group => group.name === name)) {
    console.error(
      `A group must be one of ${GROUPS.map(group => group.name).join(', ')} (got ${name})`
    )
    process.exit(2)
  }
}

exitOnSignals()
const machine = {
  node: process.version,
  mediasoup,
  cpu: cpus()[0]?.model,
  cores: availableParallelism(),
  load: loadavg()[0]
}
const results: { group: string; rows: Row[] }[] = []
console.log(
  `Node.js ${machine.node}, mediasoup ${mediasoup}, ${machine.cores} cores of ${machine.cpu}, load ${machine.load?.toFixed(1)}`
)
console.log(
  'A ratio is the median of the ratios of each round; other figures are medians of the rounds.'
)

for (const group of GROUPS) {
  if (names.length && !names.includes(group.name)) continue
  const begin = performance.now()
  const rows = await group.run()
  results.push({ group: group.name, rows })
  console.log(
    `\n${group.name}: ${group.about}; took ${((performance.now() - begin) / 1000).toFixed(0)} s\n${table(rows)}`
  )
}

writeFileSync(
  json,
  JSON.stringify({ date: new Date().toISOString(), machine, results }, null, 2) + '\n'
)
process.exit()
