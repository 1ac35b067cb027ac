// npm run fuzz -- --target leaf --frames 200000 --seed 1

import { check, optionsOf } from '../options.ts'
import { exitOnSignals } from '../processes.ts'
import { type FuzzOptions, fuzz } from './index.ts'
import { targets } from './target.ts'

const values = optionsOf({
  target: { type: 'string', multiple: true },
  frames: { type: 'string' },
  seed: { type: 'string' }
})
const number = (text: string | undefined) => (text === undefined ? undefined : Number(text))
const [frames, seed] = [number(values.frames), number(values.seed)]
const all: readonly FuzzOptions['target'][] = [...targets, 'client']
const chosen = (values.target as FuzzOptions['target'][] | undefined) ?? all
check(
  frames === undefined || (Number.isSafeInteger(frames) && frames > 0),
  `--frames must be a whole number from 1 up (got ${values.frames})`
)
check(
  seed === undefined || Number.isSafeInteger(seed),
  `--seed must be a whole number (got ${values.seed})`
)
check(
  chosen.every(target => all.includes(target)),
  `--target must be one of ${all.join(', ')} (got ${chosen.join(', ')})`
)

exitOnSignals()
for (const target of chosen) {
  const report = await fuzz({ target, frames, seed, log: line => console.error(line) })
  console.log(report)
  if (report.problem) process.exitCode = 1
}
