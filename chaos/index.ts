// Breaks what can break, and looks whether what has to hold does.
//
//   npm run chaos -- [--seed N] [--minutes M] [--tree leaf|cluster|aggregated] [--kill-proxies]

import { parseArgs } from 'node:util'
import { histogram } from './histogram.ts'
import { chaos } from './run.ts'
import { type Shape, shapes } from './tree.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    minutes: { type: 'string', default: '1' },
    tree: { type: 'string', default: 'aggregated' },
    'kill-proxies': { type: 'boolean', default: false }
  }
})
const [seed, minutes] = [Number(values.seed), Number(values.minutes)]
const shape = values.tree as Shape
if (!Number.isSafeInteger(seed) || !(minutes > 0) || !shapes.includes(shape)) {
  console.error(`--seed must be a whole number, --minutes a positive one, --tree one of ${shapes.join(', ')} (got ${values.seed}, ${values.minutes}, ${values.tree})`)
  process.exit(2)
}

console.log(`seed ${seed}, ${minutes} min, ${shape}`)
const begin = performance.now()
const { wrong, recoveries, steps, flows } = await chaos({
  seed, seconds: minutes * 60, shape, killProxies: values['kill-proxies'],
  log: line => console.log(`${((performance.now() - begin) / 1000).toFixed(1).padStart(7)} ${line}`)
})
for (const [what, times] of recoveries) console.log(`\n${what}, ${times.length} times\n${histogram(times)}`)
console.log(`\n${steps} steps, ${flows} flows of media. ${wrong.length ? `Wrong:\n${wrong.join('\n')}\nAgain: npm run chaos -- --seed ${seed} --minutes ${minutes} --tree ${shape}${values['kill-proxies'] ? ' --kill-proxies' : ''}` : 'All that has to hold did.'}`)
process.exit(wrong.length ? 1 : 0)
