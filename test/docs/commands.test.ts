// Each command in the documents runs: here, on real tiers, or, where that takes minutes, in the
// test that is named here, which then looks only at its options.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import packageJson from '../../package.json' with { type: 'json' }
import { afterTest, cleanUp, freePort, run, startLeaf, until } from '../helper.ts'
import { ask, end, startNode } from '../kit/processes.ts'
import { type Block, type Command, blocks, commandsOf } from './commands.ts'
import { installsFiles, isDocker, rendersChart, usesChart } from './deployed.ts'
import { documents, read, root } from './markdown.ts'
import { isUrl, serves } from './serve.ts'

cleanUp(test)

/** What runs a command of a block, by the words that it begins with. */
const known: [words: string, run: (command: Command, block: Block) => unknown][] = [
  ['mafalda serve --help', ends],
  ['mafalda serve --openrpc', ends],
  ['mafalda registry', heldBy('test/registry/command.test.ts')],
  ['mafalda serve --register', heldBy('test/registry/command.test.ts')],
  ['mafalda serve', serves],
  ['mafalda monitor', heldBy('test/cli/monitor.test.ts')],
  ['mafalda drain', drains],
  ['mafalda sessions', asks(0)],
  ['mafalda kick', asks(1)],
  ['mafalda tree', asks(0)],
  ['mafalda top', asks(0)],
  ['mafalda events', heldBy('test/cli/survey.test.ts')],
  ['mafalda conformance drift', heldBy('test/conformance/drift.test.ts')],
  ['mafalda conformance watch', heldBy('test/conformance/watch.test.ts')],
  ['mafalda conformance', heldBy('test/conformance/conformance.test.ts')],
  ['npm run conformance -- drift', heldBy('test/conformance/drift.test.ts')],
  ['npm run conformance', heldBy('test/conformance/conformance.test.ts')],
  ['npm run chaos', heldBy('test/chaos/chaos.test.ts')],
  ['npm run load -- --seats', heldBy('test/load/webinar.test.ts')],
  ['npm run load', heldBy('test/load/load.test.ts')],
  ['npm run bench', heldBy('test/bench/bench.test.ts')],
  ['npm run fuzz', heldBy('test/conformance/fuzz.test.ts')],
  ['npm run lint', isOfCi],
  ['npm run format', isOfCi],
  ['npm start', startsTheRoom],
  ['npm test', namesTests],
  ['npm pack', installs],
  ['npm install', installs],
  ['node build.mjs exec node examples/broadcast/server.ts', startsTheBroadcast],
  ['node build.mjs exec node', runsFile],
  ['node --import mafalda/register examples/conference/server.ts', isAnExample],
  ['node --import mafalda/register examples/webinar/server.ts', isAnExample],
  ['node --import mafalda/register examples/broadcast/server.ts', isAnExample],
  ['node --import mafalda/register', preloads],
  ['node examples/conference/server.ts', isAnExample],
  ['node examples/webinar/server.ts', isAnExample],
  ['python3', speaks],
  ['curl', answers],
  ['docker run', heldBy('test/deploy/image.test.ts')],
  ['docker', isDocker],
  ['helm', rendersChart],
  ['kubectl', usesChart],
  ['systemd-sysusers', installsFiles],
  ['install', installsFiles],
  ['systemctl', installsFiles]
]

// On a busy machine.
const SECONDS = 300

const passed = new Set<string>()

for (const block of blocks) {
  const text = block.commands.map(({ text }) => text).join('; ')
  test(`${block.where}: ${text.slice(0, 80)}`, async () => {
    for (const command of block.commands) {
      const line = `${command.words.join(' ')} `
      const [, run] = known.find(([words]) => line.startsWith(`${words} `)) ?? []
      assert.ok(run, `no test runs this command: ${command.text}`)
      // A command with URLs needs the tiers of its block.
      const key = command.words.some(isUrl) ? block.where + line : line
      if (!passed.has(key)) await run(command, block)
      passed.add(key)
    }
  })
}

test('no command stands outside of the blocks that are run', () => {
  const PROGRAM = /^ {4}(mafalda|npm|npx|node|python3|curl) /m
  assert.equal(
    documents.filter(file => PROGRAM.test(read(file))),
    []
  )
})

test('a command is read as a shell reads it', () => {
  const shell = 'A=1 npx mafalda serve \\\n  URL   # a comment\n# another\n\nnpm test'
  assert.equal(commandsOf(shell), [
    { env: { A: '1' }, words: ['mafalda', 'serve', 'URL'], text: 'A=1 npx mafalda serve    URL' },
    { env: {}, words: ['npm', 'test'], text: 'npm test' }
  ])
})

/** Runs to its end, and says something. */
async function ends({ words: [, ...args] }: Command) {
  const { exited, lines } = run(args)
  assert.equal(await exited, [0, null])
  assert.ok(lines.length > 10)
}

/** On a leaf without Workers: the drain is over at once, or cancelled before it has begun. */
async function drains({ words }: Command) {
  const { url } = await startLeaf()
  const { exited, lines } = run(words.slice(1).map(word => (isUrl(word) ? url : word)))
  assert.equal(await exited, [0, null])
  const last = words.includes('--cancel') ? 'does not drain' : 'empty: the host ends'
  assert.match(lines.at(-1)!, last)
}

/** On a leaf that nobody uses but the command. */
function asks(code: number) {
  return async ({ words }: Command) => {
    const { url } = await startLeaf()
    const { exited, lines } = run(words.slice(1).map(word => (isUrl(word) ? url : word)))
    assert.equal(await exited, [code, null])
    assert.ok(lines.length)
  }
}

/** The test runs it; its options are right, because the only complaint is about one of ours. */
function heldBy(file: string) {
  return ({ words, env }: Command) => {
    assert.ok(globSync(file, { cwd: root }).length, `${file} is gone`)
    const options = { cwd: root, env: { ...process.env, ...env }, encoding: 'utf8' } as const
    const { stderr, status } = spawnSync(process.execPath, [...programOf(words), '--nope'], options)
    assert.match(stderr, /unknown option '--nope'/i)
    assert.is.not(status, 0)
  }
}

/** What node runs for a command of ours, or of npm. */
function programOf(words: string[]): string[] {
  const ours = words.lastIndexOf('mafalda') // also in a container
  if (ours >= 0) return ['mafalda.ts', ...words.slice(ours + 1)]
  const script = packageJson.scripts[words[2] as keyof typeof packageJson.scripts]
  const [, name] = /^node build\.mjs (\w+)$/.exec(script)!
  const [, program] = new RegExp(`^  ${name}: (\\[.*\\])`, 'm').exec(read('build.mjs'))!
  const [, ...args] = JSON.parse(program!.replaceAll("'", '"')) as string[]
  const dashes = words.indexOf('--')
  return [...args, ...(dashes < 0 ? [] : words.slice(dashes + 1))]
}

/** As `npm start`, at another port: the page is there, and all ends with a signal. */
async function startsTheRoom({ words }: Command) {
  assert.is(packageJson.scripts.start, 'exec node build.mjs start')
  const port = String(await freePort())
  const others = words.slice(3).filter(word => !/^(--port|\d+)$/.test(word))
  const args = ['build.mjs', 'start', ...others, '--port', port]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
  const exited = once(child, 'exit')
  afterTest(async () => {
    if (child.kill('SIGTERM')) await exited // So that it ends what it has started, too.
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', line => lines.push(line))
  const isOpen = () => lines.some(line => line.includes('Open the page'))
  await until(() => child.exitCode !== null || isOpen(), SECONDS)
  assert.match(await (await fetch(`http://localhost:${port}/`)).text(), '<html')
  child.kill('SIGTERM')
  assert.equal(await exited, [0, null])
}

/** At another port: the page is there, and all ends with a signal. */
async function startsTheBroadcast({ words }: Command) {
  const env = { ...process.env, PORT: '0' }
  const stdio = ['ignore', 'pipe', 'ignore'] as const
  const child = spawn(process.execPath, words.slice(1), { cwd: root, env, stdio: [...stdio] })
  const exited = once(child, 'exit')
  afterTest(async () => {
    if (child.kill('SIGTERM')) await exited // So that it ends what it has started, too.
  })
  const [line] = await once(createInterface({ input: child.stdout! }), 'line')
  const page = await fetch(`http://127.0.0.1:${JSON.parse(line).listening}/`)
  assert.match(await page.text(), '<html')
  child.kill('SIGTERM')
  assert.equal(await exited, [0, null])
}

/** The public CI runs the linter, which has the same settings as the formatter. */
function isOfCi({ words }: Command) {
  const name = words[2] as 'lint' | 'format'
  assert.is(packageJson.scripts[name], `node build.mjs ${name}`)
  assert.match(read('.github/workflows/ci.yml'), 'npm run lint')
}

/** `npm test`, and with a part of a path that tests have. */
function namesTests({ words }: Command) {
  assert.is(packageJson.scripts.test, 'node build.mjs test')
  const files = globSync('test/**/*.test.ts', { cwd: root })
  for (const part of words.slice(3)) {
    assert.ok(
      files.some(file => file.includes(part)),
      `no test has ${part} in its path`
    )
  }
}

/** test/package.test.ts packs the package, and installs it with what it needs. */
function installs({ words }: Command) {
  assert.match(read('test/package.test.ts'), `'${words[1]}'`)
  const names = words.slice(2).filter(word => !word.startsWith('--'))
  assert.equal(
    names.filter(name => ![packageJson.name, 'mediasoup'].includes(name)),
    []
  )
}

/** A file of the project, with so few runs that it ends soon. */
async function runsFile({ words, env }: Command) {
  const child = spawn(process.execPath, words.slice(4), {
    cwd: root,
    env: { ...process.env, ...env, DIFFERENTIAL_RUNS: '1', NODE_V8_COVERAGE: '' },
    stdio: 'ignore'
  })
  afterTest(() => child.kill('SIGKILL'))
  assert.equal(await once(child, 'exit'), [0, null])
}

/** A client in another language, on a leaf. */
async function speaks({ words: [program, ...args] }: Command) {
  const { url } = await startLeaf()
  const child = spawn(
    program!,
    args.map(word => (isUrl(word) ? url : word)),
    { cwd: root, stdio: 'ignore' }
  )
  afterTest(() => child.kill('SIGKILL'))
  assert.equal(await once(child, 'exit'), [0, null])
}

/** An application that is written for mediasoup, on a leaf: with the variables of the command. */
async function preloads({ words, env }: Command) {
  const { url } = await startLeaf()
  const own = env.MAFALDA_URL === 'mock:' ? {} : { MAFALDA_URL: url }
  const args = words.slice(1).map(word => (word === 'app.js' ? 'test/bench/application.ts' : word))
  const { child } = startNode(args, { cwd: root, env: { ...process.env, ...env, ...own } })
  afterTest(() => end(child))
  const { first } = await ask<{ first: number }>(child)
  assert.ok(first > 0)
}

/** A test runs it on each sort of tree. */
function isAnExample({ words }: Command) {
  const [, name] = /^examples\/(\w+)\//.exec(words.at(-1)!)!
  assert.match(read(`test/examples/${name}.test.ts`), `'${words.at(-1)}'`)
}

/** The same path of the tier that the block serves before, or else of a leaf. */
async function answers(command: Command, block: Block) {
  const { words } = command
  const before = block.commands.slice(0, block.commands.indexOf(command))
  const served = before.findLast(({ words }) => words[1] === 'serve')
  const url = served ? await serves(served, block) : (await startLeaf()).url
  const { pathname } = new URL(words.at(-1)!)
  const response = await fetch(new URL(pathname, url.replace('ws:', 'http:')))
  assert.is(response.status, 200)
}

test.run()
