// npm run fuzz -- --target leaf --frames 200000 --seed 1

import { parseArgs } from 'node:util'
import { fuzz } from './index.ts'
import { type TargetName, targets } from './target.ts'

const { values } = parseArgs({ options: { target: { type: 'string', multiple: true }, frames: { type: 'string' }, seed: { type: 'string' } } })
const number = (text: string | undefined) => text === undefined ? undefined : Number(text)

for (const target of values.target ?? [...targets, 'client']) {
  const report = await fuzz({ target: target as TargetName, frames: number(values.frames), seed: number(values.seed), log: line => console.error(line) })
  console.log(report)
  if (report.problem) process.exitCode = 1
}
