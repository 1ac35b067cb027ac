// What operators deploy: the alert rules and the dashboard, on a real Prometheus that scrapes a tree
// under RTP.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findPromtool } from '../../build/prometheus.mjs'
import { connect } from '../../client/index.ts'
import {
  afterTest,
  audio,
  cleanUp,
  createElsewhere,
  opus,
  rtp,
  startLeaf,
  until
} from '../helper.ts'
import { type Sample, startPrometheus } from '../kit/prometheus.ts'

cleanUp(test)

const folder = new URL('../../deploy/', import.meta.url)
const RULES = fileURLToPath(new URL('prometheus/mafalda.rules.yml', folder))
const UNIT_TESTS = RULES.replace('.yml', '.test.yml')
const dashboard = JSON.parse(readFileSync(new URL('grafana/mafalda.json', folder), 'utf8')) as {
  panels: { id: number; title: string; targets?: { expr: string }[] }[]
}
const rules = readFileSync(RULES, 'utf8')

/** As Grafana asks. */
const expressions = dashboard.panels
  .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  .map(expr =>
    expr
      .replaceAll('$job', 'mafalda')
      .replaceAll('$instance', '.*')
      .replaceAll('$__rate_interval', '5s')
  )

const namesIn = (text: string) => new Set(text.match(/\b(mafalda|nodejs|process)_\w+/g))

test('promtool finds the rules right, and their unit tests hold', async () => {
  const promtool = await findPromtool()
  execFileSync(promtool, ['check', 'rules', RULES], { stdio: 'pipe' })
  execFileSync(promtool, ['test', 'rules', UNIT_TESTS], { stdio: 'pipe' })
})

test('each alert has a unit test in which it fires', () => {
  const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name)
  assert.ok(alerts.length > 10)
  const fires = [...readFileSync(UNIT_TESTS, 'utf8').matchAll(/alertname: (\w+)\n +exp_alerts:/g)]
  const fired = new Set(fires.map(([, name]) => name))
  assert.equal(
    alerts.filter(name => !fired.has(name)),
    []
  )
})

test('a tree under RTP: Prometheus sees it, the dashboard shows it, and the alerts fire', async () => {
  const hosts = [await startLeaf(['--metrics']), await startLeaf(['--metrics'])] as const
  const entry = await startLeaf(['--metrics', ...hosts.map(({ url }) => url)])
  const prometheus = await startPrometheus(
    [entry, ...hosts].map(({ url }) => new URL(url).host),
    [RULES]
  )
  afterTest(prometheus.end)
  const instance = (url: string) => `instance="${new URL(url).host}"`
  const sees = (expression: string) =>
    until(async () => (await prometheus.query(expression)).length, undefined, expression)

  const mediasoup = await connect(entry.url)
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const other = await createElsewhere(mediasoup, worker)
  const [from, to] = [
    await worker.createRouter({ mediaCodecs: [opus] }),
    await other.createRouter({ mediaCodecs: [opus] })
  ]
  await sendRtp(from, to)

  await sees('count(up{job="mafalda"} == 1) == 3')
  await sees('sum(mafalda_objects{kind="PipeTransport"}) == 2')
  await sees(`mafalda_children{state="up", ${instance(entry.url)}} == 2`)
  await sees('sum(rate(mafalda_pipe_bytes_total{direction="in"}[5s])) > 0')
  await sees('sum(rate(mafalda_pipe_bytes_total{direction="out"}[5s])) > 0')
  await sees(
    `mafalda_calls_total{method="Worker.createRouter", outcome="ok", ${instance(entry.url)}} == 2`
  )
  await until(async () => !(await prometheus.alerts()).length) // A scrape may have been too early.

  // Each name is one that a tier has, so that no typing error is an empty panel.
  const samples = await prometheus.query('count by (__name__) ({job="mafalda"})')
  const known = new Set(samples.map(({ labels }: Sample) => labels.__name__))
  for (const name of namesIn(rules + JSON.stringify(dashboard))) assert.ok(known.has(name), name)
  for (const expression of expressions) await prometheus.query(expression)
  const empty = await Promise.all(
    expressions.map(async each => ((await prometheus.query(each)).length ? [] : [each]))
  )
  assert.equal(
    empty.flat().filter(each => !each.endsWith(' > 0')), // What is not there in good times.
    []
  )

  const [pid] = await Promise.all([
    worker.pid,
    once(worker, 'died'),
    process.kill(worker.pid, 'SIGKILL')
  ])
  assert.ok(pid)
  await until(async () => (await prometheus.alerts()).includes('MafaldaWorkerDied: firing'))
  hosts[1].child.kill('SIGKILL')
  await until(async () => {
    const alerts = await prometheus.alerts()
    return (
      alerts.includes('MafaldaTierDown: pending') &&
      alerts.includes('MafaldaHostUnreachable: pending')
    )
  })
})

/** From a socket to one Router, and over a pipe to the other. */
async function sendRtp(from: ms.Router, to: ms.Router) {
  const inbound = await from.createPlainTransport({
    listenInfo: { protocol: 'udp', ip: '127.0.0.1' },
    comedia: true
  })
  const producer = await inbound.produce(audio())
  await from.pipeToRouter({ producerId: producer.id, router: to })
  const socket = createSocket('udp4')
  let sequence = 0
  const timer = setInterval(
    () => socket.send(rtp(++sequence), inbound.tuple.localPort, '127.0.0.1'),
    20
  )
  afterTest(() => {
    clearInterval(timer)
    socket.close()
  })
}

test.run()
