// Every way to bring mediasoup in that docs/drop-in.md says is covered: the Worker is on the tier,
// errors have one class, and the process ends when its Workers are closed.

import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cleanUp, endAll } from '../helper.ts'
import { end, startTier } from '../kit/processes.ts'
import { runApplication } from './application.ts'

cleanUp(test)

let leaf: Awaited<ReturnType<typeof startTier>>
test.before(async () => {
  leaf = await startTier()
})
test.after(async () => {
  await endAll()
  await end(leaf.child, 'SIGTERM')
})

/** What each way does with the `createWorker` and the `UnsupportedError` that it has. */
const USE = `
async function use(createWorker, UnsupportedError) {
  const worker = await createWorker()
  const mediaCodecs = [{ kind: 'audio', mimeType: 'audio/unheard-of', clockRate: 8000 }]
  const error = await worker.createRouter({ mediaCodecs }).catch(error => error)
  const router = await worker.createRouter()
  console.log(WAY, Boolean(router.id), error instanceof UnsupportedError)
  worker.close()
}
`

/** Ways that can share a process do: each is a file that it loads, one after the other. */
type Process = 'esm' | 'cjs' | 'tsx' | 'tsx-cjs'

interface Way {
  way: string
  process: Process
  /** A module that waits until `use()` is done. */
  source: string
  /** What it needs beside it. */
  files?: Record<string, string>
}

const WAYS: Way[] = [
  {
    way: 'ESM: `import * as mediasoup`',
    process: 'esm',
    source: `import * as mediasoup from 'mediasoup'
      await use(mediasoup.createWorker, mediasoup.errors.UnsupportedError)`
  },
  {
    way: 'ESM: `import { createWorker }`',
    process: 'esm',
    source: `import { createWorker, errors } from 'mediasoup'
      await use(createWorker, errors.UnsupportedError)`
  },
  {
    way: 'ESM: `import mediasoup`',
    process: 'esm',
    source: `import mediasoup from 'mediasoup'
      await use(mediasoup.createWorker, mediasoup.errors.UnsupportedError)`
  },
  {
    way: 'ESM: `await import()`',
    process: 'esm',
    source: `const mediasoup = await import('mediasoup')
      const { UnsupportedError } = await import('mediasoup/errors')
      await use(mediasoup.createWorker, UnsupportedError)`
  },
  {
    way: '`createRequire()`',
    process: 'esm',
    source: `import { createRequire } from 'node:module'
      const require = createRequire(import.meta.url)
      await use(require('mediasoup').createWorker, require('mediasoup/errors').UnsupportedError)`
  },
  {
    way: 'a CommonJS package that requires it',
    process: 'esm',
    source: `import { createWorker } from 'rooms'
      import { errors } from 'mediasoup'
      await use(createWorker, errors.UnsupportedError)`,
    files: {
      'node_modules/rooms/package.json': '{ "main": "./rooms.js" }',
      'node_modules/rooms/rooms.js':
        "const mediasoup = require('mediasoup'); exports.createWorker = mediasoup.createWorker"
    }
  },
  {
    way: '`mediasoup/errors`, `/ortc`, `/extras`, `/types`',
    process: 'esm',
    source: `import * as mediasoup from 'mediasoup'
      import * as errors from 'mediasoup/errors'
      import * as ortc from 'mediasoup/ortc'
      import * as extras from 'mediasoup/extras'
      import 'mediasoup/types'
      import { createRequire } from 'node:module'
      const require = createRequire(import.meta.url)
      const { UnsupportedError } = mediasoup.errors
      const { EnhancedEventEmitter } = mediasoup.extras
      const isSame =
        UnsupportedError === errors.UnsupportedError &&
        UnsupportedError === require('mediasoup/errors').UnsupportedError &&
        EnhancedEventEmitter === extras.EnhancedEventEmitter &&
        EnhancedEventEmitter === require('mediasoup/extras').EnhancedEventEmitter &&
        mediasoup.ortc.canConsume === ortc.canConsume &&
        ortc.canConsume === require('mediasoup/ortc').canConsume
      await use(mediasoup.createWorker, isSame && errors.UnsupportedError)`
  },
  {
    way: 'TypeScript, types stripped by Node.js',
    process: 'esm',
    source: "await (await import('./typed.ts')).done",
    files: {
      'typed.ts': `import * as mediasoup from 'mediasoup'
        import type { types } from 'mediasoup'
        import type { Worker } from 'mediasoup/types'
        const settings: types.WorkerSettings = {}
        const createWorker = (): Promise<Worker> => mediasoup.createWorker(settings)
        export const done = use(createWorker, mediasoup.errors.UnsupportedError)`
    }
  },
  {
    way: 'a worker thread from a file',
    process: 'esm',
    source: `import { Worker } from 'node:worker_threads'
      import { once } from 'node:events'
      await once(new Worker(new URL('thread.mjs', import.meta.url)), 'exit')`,
    files: {
      'thread.mjs': `import { createWorker, errors } from 'mediasoup'
        await use(createWorker, errors.UnsupportedError)`
    }
  },
  {
    way: 'a process that it forks',
    process: 'esm',
    source: `import { fork } from 'node:child_process'
      import { once } from 'node:events'
      await once(fork(new URL('forked.mjs', import.meta.url)), 'exit')`,
    files: {
      'forked.mjs': `import { createWorker, errors } from 'mediasoup'
        await use(createWorker, errors.UnsupportedError)`
    }
  },
  {
    way: 'CommonJS: `require()`',
    process: 'cjs',
    source: `const mediasoup = require('mediasoup')
      exports.done = use(mediasoup.createWorker, mediasoup.errors.UnsupportedError)`
  },
  {
    way: 'CommonJS: destructured',
    process: 'cjs',
    source: `const { createWorker } = require('mediasoup')
      const { UnsupportedError } = require('mediasoup/errors')
      exports.done = use(createWorker, UnsupportedError)`
  },
  {
    way: '`require()` of an ES module that imports it',
    process: 'cjs',
    source: `const { createWorker, UnsupportedError } = require('./media.mjs')
      exports.done = use(createWorker, UnsupportedError)`,
    files: {
      'media.mjs': `export { createWorker } from 'mediasoup'
        export { UnsupportedError } from 'mediasoup/errors'`
    }
  },
  {
    way: 'TypeScript by tsx, as ESM',
    process: 'tsx',
    source: `import { createWorker, errors } from 'mediasoup'
      enum Kind { Audio }
      await use(createWorker, Kind.Audio === 0 && errors.UnsupportedError)`
  },
  {
    way: 'TypeScript by tsx, as CommonJS',
    process: 'tsx-cjs',
    source: `import * as mediasoup from 'mediasoup'
      enum Kind { Audio }
      export const done = use(mediasoup.createWorker, Kind.Audio === 0 && mediasoup.errors.UnsupportedError)`
  }
]

const EXTENSIONS: Record<Process, string> = {
  esm: '.mjs',
  cjs: '.cjs',
  tsx: '.mts',
  'tsx-cjs': '.cts'
}

/** The files of a process: the first loads each way, and waits for it. */
function filesOf(name: Process): Record<string, string> {
  const extension = EXTENSIONS[name]
  const files: Record<string, string> = {}
  WAYS.forEach(({ way, process, source, files: beside = {} }, i) => {
    if (process !== name) return
    files[`way-${i}${extension}`] = withUse(way, source)
    for (const [file, text] of Object.entries(beside))
      files[file] = file.startsWith('node_modules') ? text : withUse(way, text)
  })
  const ways = Object.keys(files).filter(file => file.startsWith('way-'))
  const load = ['esm', 'tsx'].includes(name) ? 'await import' : 'require'
  const main = `(async () => {${ways.map(file => `await (${load}('./${file}')).done`).join('\n')}})()`
  return { [`main${extension}`]: main, ...files }
}

const withUse = (way: string, source: string) =>
  `${source}\n${USE.replace('WAY', JSON.stringify(way))}`

type Ended = Awaited<ReturnType<typeof runApplication>>
const ended = new Map<Process, Promise<Ended>>()

function run(name: Process): Promise<Ended> {
  const nodeArgs = name.startsWith('tsx') ? ['--import', 'tsx'] : []
  const run =
    ended.get(name) ??
    runApplication(filesOf(name), {
      url: leaf.url,
      preload: 'mafalda/register',
      nodeArgs,
      env: { NODE_V8_COVERAGE: '' }
    })
  ended.set(name, run)
  return run
}

for (const { way, process } of WAYS)
  test(way, async () => {
    const { stdout, stderr } = await run(process)
    assert.ok(stdout.includes(`${way} true true`), [...stdout, ...stderr].join('\n'))
  })

test('an application ends by itself when it has closed its Workers, and nothing is on its stderr', async () => {
  for (const name of Object.keys(EXTENSIONS) as Process[]) {
    const { code, stderr } = await run(name)
    assert.equal({ name, code, stderr }, { name, code: 0, stderr: [] })
  }
})

test('each of these ways, and no other, is in docs/drop-in.md', () => {
  const [, after = ''] = readFileSync('docs/drop-in.md', 'utf8').split('## What is covered')
  const [table = ''] = after.split('\n## ')
  const rows = [...table.matchAll(/^\| (.*?) \| yes/gm)].map(([, way]) => way!)
  assert.equal(rows.toSorted(), WAYS.map(({ way }) => way).toSorted())
})

test.run()
