// `mafalda tree`, `top` and `events`, as whoever operates a tree uses them.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect, remote } from '../../client/index.ts'
import type { SurveyEntry } from '../../lib/survey.ts'
import type { SurveyEvent } from '../../lib/survey-events.ts'
import { horizontal } from '../../proxy/index.ts'
import { type ServeOptions, leaf, serve } from '../../server/index.ts'
import { AUDIENCE, secretIssuer } from '../tokens.ts'
import { afterTest, cleanUp, run, until } from '../helper.ts'

cleanUp(test)

async function served(options: ServeOptions = {}) {
  const server = await serve(leaf(localMediasoup), options)
  afterTest(() => server.close())
  return server
}

/** A cluster of one host, and an application on it. */
async function tree() {
  const host = await served()
  const cluster = horizontal([remote(host.url)])
  afterTest(() => cluster.close())
  await once(cluster, 'up')
  const top = await serve(cluster)
  afterTest(() => top.close())
  const mediasoup = await connect(top.url)
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter()
  // A host tells its load once a second.
  await until(() => cluster.load.workers === 1 && cluster.load.routers === 1)
  return { host, url: top.url, worker, router }
}

async function ended(args: string[]) {
  const { exited, lines, errors } = run(args)
  const [code] = await exited
  return { code, lines, errors }
}

test('tree prints what there is, once, in words and as JSON', async () => {
  const { url, host, worker } = await tree()
  const { code, lines, errors } = await ended(['tree', url])
  assert.equal([code, errors], [0, []])
  assert.match(lines[0]!, /^horizontal \S+ {2}[\d.]+\/\d+ cores, horizontal, 1 Workers, 1 Routers/)
  assert.ok(lines.some(line => line.startsWith(`└─ leaf ${host.url}/`)))
  assert.ok(lines.some(line => /^ {3}└─ Worker /.test(line) && line.includes(`pid ${worker.pid}`)))
  assert.match(lines.at(-1)!, /^ {6}└─ Router \S+ {2}0 transports, 0 Producers, 0 Consumers$/)
  const json = JSON.parse((await ended(['tree', url, '--json'])).lines.join('')) as SurveyEntry[]
  const found = json.find(({ kind }) => kind === 'Worker')!
  const under = await ended(['tree', url, '--under', found.id])
  assert.is(under.lines.length, 2)
  const nothing = await ended(['tree', url, '--under', 'nobody/1'])
  assert.equal(
    [nothing.code, nothing.errors],
    [1, [`mafalda: there is nothing with the id nobody/1 on ${url}`]]
  )
})

test('each of them needs a token that may operate', async () => {
  const { key: secret, issue } = secretIssuer()
  const { url } = await served({ tokens: { secret, audience: AUDIENCE } })
  const folder = await mkdtemp(join(tmpdir(), 'mafalda-'))
  afterTest(() => rm(folder, { recursive: true }))
  const [weak, strong] = [join(folder, 'weak'), join(folder, 'strong')]
  await writeFile(weak, await issue({ scope: 'observe create' }))
  await writeFile(strong, await issue({ scope: 'operate' }))
  const commands = ['tree', 'top', 'events'] as const
  const refused = await Promise.all(commands.map(name => ended([name, url, '--token', weak])))
  for (const { code, errors } of refused) {
    assert.is(code, 1)
    assert.match(errors.join('\n'), 'tier.survey needs the scope operate, and the token has')
  }
  assert.is((await ended(['top', url, '--token', strong])).code, 0)
})

test('top prints once where there is no terminal, in 80 columns', async () => {
  const { url, host } = await tree()
  const { code, lines } = await ended(['top', url])
  assert.is(code, 0)
  assert.ok(lines.every(line => [...line].length <= 80))
  assert.match(lines.join('\n'), host.url)
})

test('events are JSON lines, until it is told to end', async () => {
  const { url, host, worker } = await tree()
  const { child, lines, exited } = run(['events', url])
  const heard = (event: string) =>
    until(() =>
      lines.map(line => JSON.parse(line) as SurveyEvent).find(each => each.event === event)
    )
  // It says nothing of what was there before: so something happens until it hears.
  const application = await connect(url)
  afterTest(() => application.close())
  await until(async () => {
    ;(await application.createWorker()).close()
    return lines.length > 0
  })
  const started = performance.now()
  process.kill(worker.pid, 'SIGKILL')
  assert.is((await heard('worker died')).pid, worker.pid)
  await host.close()
  const lost = await heard('host lost')
  assert.is(lost.host, `${host.url}/`)
  assert.ok(lost.reason && lost.at > 0 && performance.now() > started)
  child.kill('SIGINT')
  assert.equal(await exited, [0, null])
})

/** Runs a command in a terminal of its own, whose keys are pressed by writing. */
function inTerminal(args: string[]) {
  const command = [process.execPath, join(import.meta.dirname, '../../mafalda.ts'), ...args]
  const inside = `stty rows 24 cols 80; ${command.join(' ')}`
  const child = spawn('script', ['-qec', inside, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm' }
  })
  afterTest(() => child.kill())
  let shown = ''
  child.stdout.on('data', data => (shown += data))
  return {
    press: (keys: string) => child.stdin.write(keys),
    shows: (text: string) => until(() => shown.includes(text), 30, text),
    forget: () => (shown = ''),
    shown: () => shown,
    exited: once(child, 'close') as Promise<[code: number]>
  }
}

/** The terminal has its own screen, and its cursor, again. */
async function isLeft({ exited, shown }: ReturnType<typeof inTerminal>) {
  assert.is((await exited)[0], 0)
  assert.ok(shown().trimEnd().endsWith('\x1b[?25h\x1b[?1049l'), JSON.stringify(shown().slice(-80)))
}

test('top goes down and up in a terminal, and leaves it as it was', async () => {
  const { url, host, worker, router } = await tree()
  const terminal = inTerminal(['top', url])
  await terminal.shows(host.url)
  terminal.press('\r')
  await terminal.shows(`pid ${worker.pid}`)
  terminal.press('\r')
  await terminal.shows('0 transports')
  await router.createDirectTransport()
  await terminal.shows('1 transport')
  terminal.press('\r')
  await terminal.shows('DirectTransport')
  terminal.forget()
  terminal.press('\x7f')
  await terminal.shows('1 transport')
  terminal.press('q')
  await isLeft(terminal)
})

test('Ctrl-C ends top, too', async () => {
  const { url } = await served()
  const terminal = inTerminal(['top', url])
  await terminal.shows('Enter down')
  terminal.press('\x03')
  await isLeft(terminal)
})

test.run()
