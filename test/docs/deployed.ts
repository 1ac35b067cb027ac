// Commands of docs/deploying.md that install things: here they are looked at, and helm renders what it
// would install. What they install runs in test/deploy/.

import { existsSync, globSync } from 'node:fs'
import { basename, join } from 'node:path'
import * as assert from 'uvu/assert'
import { helm, noHelm } from '../kit/helm.ts'
import { type Command, valueOf } from './commands.ts'
import { read, root } from './markdown.ts'

const CHART = 'deploy/helm/mafalda'

/** The public CI builds that image, and reads that file of Compose. */
export function isDocker({ words }: Command) {
  const file = valueOf(words, '--file')!
  assert.ok(existsSync(join(root, file)), file)
  const begin = words.slice(0, words.indexOf('--file') + 2).join(' ')
  assert.match(read('.github/workflows/ci.yml'), begin)
}

/** Files of ours, and units of those names. */
export function installsFiles({ words }: Command) {
  for (const word of words.filter(word => word.startsWith('deploy/')))
    assert.ok(existsSync(join(root, word)), word)
  for (const word of words.filter(word => /^mafalda-\w+$/.test(word)))
    assert.ok(existsSync(join(root, `deploy/systemd/${word}.service`)), word)
}

/** The chart takes the values, with those of the first command as those that are reused. */
export async function rendersChart({ words }: Command) {
  const [, , name, chart, ...rest] = words
  assert.is(chart, CHART)
  const args = rest.filter(word => word !== '--reuse-values')
  const values = { 'tokens.secret': 'tokens', 'turn.secret': 'turn' }
  if (noHelm()) return
  const text = await helm(['template', name!, join(root, CHART), ...args], values)
  assert.match(text, 'kind: StatefulSet')
}

/** Keys and names that the chart has. */
export function usesChart({ words }: Command) {
  const templates = globSync(`${CHART}/templates/*`, { cwd: root }).map(read).join('\n')
  const keys = words.flatMap(word => /^--from-file=(.*)$/.exec(word)?.[1] ?? [])
  for (const key of keys)
    assert.ok(
      templates.includes(`/${key}`) || read(`${CHART}/values.yaml`).includes(`key: ${key}`),
      key
    )
  const [, workload] = /statefulset mafalda-(\w+)/.exec(words.join(' ')) ?? []
  if (workload) assert.match(templates, `"%s-${workload}"`)
  assert.ok(keys.length || workload || words.includes('namespace'), basename(words.join(' ')))
}
