// Many sessions and objects, for minutes: whether memory stays flat, and latency where it is.
//
//   npm run load -- [--minutes M] [--sessions N] [--objects N] [--seed N] [--tree leaf|cluster|aggregated]
//   npm run load -- --rounds N [--tree vertical|aggregated]    one long session: what each round leaves in the heap
//   npm run load -- --seats N [--stage N] [--minutes M] [--every MS]    the webinar example, with all seats taken

import { check, optionsOf } from '../../conformance/options.ts'
import { exitOnSignals } from '../kit/processes.ts'
import { type LongTree, MOST_PER_ROUND, longSession, longTrees } from './long.ts'
import { load } from './run.ts'
import { heading, line, leftLines, verdictsOf, verdictLine } from './report.ts'
import { type Shape, shapes } from './tiers.ts'
import { fillWebinar } from './webinar.ts'
import { webinarLines } from './webinar-report.ts'

const values = optionsOf({
  minutes: { type: 'string', default: '10' },
  sessions: { type: 'string', default: '500' },
  objects: { type: 'string', default: '20000' },
  seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  tree: { type: 'string' },
  rounds: { type: 'string' },
  seats: { type: 'string' },
  stage: { type: 'string', default: '16' },
  every: { type: 'string', default: '1000' }
})
if (values.seats !== undefined) await runWebinar()
if (values.rounds !== undefined) await runLong(Number(values.rounds), values.tree ?? 'vertical')
const [minutes, sessions, objects, seed] = [
  values.minutes,
  values.sessions,
  values.objects,
  values.seed
].map(Number) as [number, number, number, number]
const shape = (values.tree ?? 'leaf') as Shape
const LEAST_OBJECTS = 12
check(minutes > 0, `--minutes must be a positive number (got ${values.minutes})`)
check(
  Number.isSafeInteger(sessions) && sessions >= 2,
  `--sessions must be a whole number from 2 up (got ${values.sessions})`
)
check(
  Number.isSafeInteger(objects) && objects >= sessions * LEAST_OBJECTS,
  `--objects must be a whole number, at least ${LEAST_OBJECTS} for each session (got ${values.objects})`
)
check(Number.isSafeInteger(seed), `--seed must be a whole number (got ${values.seed})`)
check(shapes.includes(shape), `--tree must be one of ${shapes.join(', ')} (got ${values.tree})`)

console.log(`${sessions} sessions, ${objects} objects, ${minutes} min, ${shape}, seed ${seed}`)
exitOnSignals()
let isFirst = true
const outcome = await load({
  seconds: minutes * 60,
  sessions,
  objects,
  seed,
  shape,
  onWindow: window => {
    if (isFirst) console.log(heading(window))
    isFirst = false
    console.log(line(window))
  }
})
const verdicts = verdictsOf(outcome)
console.log(['', ...verdicts.map(verdictLine), ...leftLines(outcome), ''].join('\n'))
const bad = [
  ...outcome.wrong,
  ...verdicts.filter(({ isFlat }) => !isFlat).map(({ what }) => `${what} is not flat`)
]
console.log(
  bad.length
    ? `Wrong:\n${bad.join('\n')}\nAgain: npm run load -- --minutes ${minutes} --sessions ${sessions} --objects ${objects} --seed ${seed} --tree ${shape}`
    : 'All is flat, no call failed, and nothing is left.'
)
process.exit(bad.length ? 1 : 0)

async function runWebinar(): Promise<never> {
  const [seats, stage, everyMs, minutes] = [
    values.seats,
    values.stage,
    values.every,
    values.minutes
  ].map(Number) as [number, number, number, number]
  for (const [name, count] of Object.entries({ seats, stage, every: everyMs }))
    check(
      Number.isSafeInteger(count) && count > 0,
      `--${name} must be a positive whole number (got ${count})`
    )
  check(minutes > 0, `--minutes must be a positive number (got ${values.minutes})`)
  exitOnSignals()
  console.log(`${stage} on stage, ${seats} who listen, a packet of each stream every ${everyMs} ms`)
  const onProgress = (joined: number, failures: readonly string[]) =>
    console.log(
      [`${joined} have joined, ${failures.length} cannot`, ...new Set(failures)].join('; ')
    )
  const options = { seats, stage, seconds: minutes * 60, everyMs, onProgress }
  const outcome = await fillWebinar(options)
  console.log(webinarLines(options, outcome).join('\n'))
  process.exit(outcome.silent || outcome.failures.length ? 1 : 0)
}

async function runLong(rounds: number, tree: string): Promise<never> {
  check(
    Number.isSafeInteger(rounds) && rounds > 0,
    `--rounds must be a positive whole number (got ${values.rounds})`
  )
  check(
    (longTrees as string[]).includes(tree),
    `--tree must be one of ${longTrees.join(', ')} with --rounds (got ${tree})`
  )
  const left = await longSession({
    rounds,
    tree: tree as LongTree,
    onProgress: done => console.log(`${done} rounds`)
  })
  for (const [name, bytes] of Object.entries(left)) console.log(`${name}: ${bytes} bytes a round`)
  process.exit(Object.values(left).some(bytes => bytes > MOST_PER_ROUND) ? 1 : 0)
}
