// Breaks what can break, and looks whether what has to hold does.
//
//   npm run chaos -- [--seed N] [--minutes M] [--tree SHAPE] [--per-minute N] [--faults KIND,…] [--no-kill-proxies] [--no-namespaces]

import { check, optionsOf } from '../../conformance/options.ts'
import { bars } from '../kit/durations.ts'
import { obstacle } from '../kit/network-namespaces.ts'
import { exitOnSignals } from '../kit/processes.ts'
import { chaos } from './run.ts'
import { type Fault, faults as allFaults } from './schedule.ts'
import { type Shape, shapes } from './shapes.ts'

// Faults overlap: of what is out of reach for longer, the session ends, as it should.
const GRACE_MS = 20_000

const values = optionsOf({
  seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  minutes: { type: 'string', default: '1' },
  tree: { type: 'string', default: 'aggregated' },
  'per-minute': { type: 'string', default: '70' },
  faults: { type: 'string', default: allFaults.join() },
  'kill-proxies': { type: 'boolean', default: true },
  namespaces: { type: 'boolean', default: true }
})
const [seed, minutes, perMinute] = [
  Number(values.seed),
  Number(values.minutes),
  Number(values['per-minute'])
]
const shape = values.tree as Shape
const faults = (values.faults.split(',') as Fault[]).filter(
  fault => values['kill-proxies'] || fault !== 'killProxy'
)
check(Number.isSafeInteger(seed), `--seed must be a whole number (got ${values.seed})`)
check(minutes > 0, `--minutes must be a positive number (got ${values.minutes})`)
check(perMinute > 0, `--per-minute must be a positive number (got ${values['per-minute']})`)
check(
  Object.hasOwn(shapes, shape),
  `--tree must be one of ${Object.keys(shapes).join(', ')} (got ${shape})`
)
check(
  faults.length > 0 && faults.every(fault => allFaults.includes(fault)),
  `--faults must be some of ${allFaults.join()} (got ${values.faults})`
)

const reason = values.namespaces ? obstacle() : '--no-namespaces'
console.log(
  `seed ${seed}, ${minutes} min, ${shape}; ${reason ? `all hosts are this one: ${reason}` : 'each leaf has a network namespace'}`
)
exitOnSignals()
const begin = performance.now()
const { wrong, recoveries, steps, flows } = await chaos({
  seed,
  seconds: minutes * 60,
  shape,
  namespaces: !reason,
  grace: GRACE_MS,
  faults,
  perMinute,
  log: line => console.log(`${((performance.now() - begin) / 1000).toFixed(1).padStart(7)} ${line}`)
})
for (const [what, times] of [...recoveries].toSorted())
  console.log(`\n${what}, ${times.length} times\n${bars(times)}`)
console.log(
  `\n${steps} steps, ${flows} flows of media. ${wrong.length ? `Wrong:\n${wrong.join('\n')}\nAgain: npm run chaos -- ${again()}` : 'All that has to hold did.'}`
)
process.exit(wrong.length ? 1 : 0)

function again() {
  const options = [`--seed ${seed} --minutes ${minutes} --tree ${shape} --per-minute ${perMinute}`]
  if (faults.length < allFaults.length) options.push(`--faults ${faults.join()}`)
  if (!values.namespaces) options.push('--no-namespaces')
  return options.join(' ')
}
