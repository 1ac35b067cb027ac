// The conformance of the tiers that this package makes, but for those whose Routers span Workers, and
// that the runner notices when a tier does not conform.

import * as mediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { conformance, formatReport, tiers, type Report } from '../../conformance/index.ts'
import { leaf, serve } from '../../server/index.ts'
import { conform, spanning, tierNames } from './conform.ts'

conform(tierNames.filter(name => !spanning.includes(name)))

test('a tier that says a wrong version does not conform, and the test that shows it is named', async () => {
  const server = await serve(leaf({ ...mediasoup, version: '0.0.0' }))
  const report = await conformance({ urls: [server.url], files: ['test-mediasoup'] })
  await server.close()
  assert.not.ok(report.conforms)
  assert.equal(report.baseline.count, { passed: 4, total: 4 })
  const [tier] = report.tiers
  assert.equal(tier?.count, { passed: 3, total: 4 })
  assert.equal(
    tier?.differences.map(({ file, test, status }) => ({ file, test, status })),
    [
      {
        file: 'test-mediasoup.js',
        test: 'mediasoup.version matches version field in package.json',
        status: 'failed'
      }
    ]
  )
  assert.match(
    formatReport(report),
    `${server.url}: test-mediasoup.js: mediasoup.version matches version field in package.json: failed`
  )
  assert.match(formatReport(report), 'Received: "0.0.0"')
})

test('a running tier conforms, but for a certificate that its operator does not let it open', async () => {
  const server = await serve(leaf(mediasoup))
  const report = await conformance({ urls: [server.url], files: ['test-Worker'] })
  await server.close()
  assert.ok(report.conforms)
  assert.equal(
    report.tiers[0]?.differences.map(({ test }) => test),
    ['mediasoup.createWorker() succeeds']
  )
  assert.match(formatReport(report), 'as declared: it names a certificate')
})

test('a tier conforms also when each connection, to it and below it, is cut again and again', async () => {
  const tiers = ['leaf', 'vertical', 'aggregated']
  const report = await conformance({
    tiers,
    cut: 0.4,
    files: ['test-Consumer', 'test-DataProducer', 'test-PipeTransport', 'test-Worker']
  })
  assert.ok(report.conforms, formatReport(report))
  assert.equal(
    report.tiers.map(({ tier }) => tier),
    tiers
  )
  // More than the session of each file needs.
  for (const { connections, files } of report.tiers)
    assert.ok(connections! > Object.keys(files).length, `${connections} connections`)
})

test('a tier that cannot be reached does not conform, and the report says why, once', async () => {
  const server = await serve(leaf(mediasoup))
  await server.close()
  const report = await conformance({ urls: [server.url], files: ['test-mediasoup', 'test-Router'] })
  assert.not.ok(report.conforms)
  assert.is(reasons(report).length, 1)
  assert.match(reasons(report)[0] ?? '', `cannot connect to ${server.url}`)
})

test('a tier of an unknown name is an error that lists the known ones', async () => {
  const report = await conformance({ tiers: ['sideways'], files: ['test-mediasoup'] })
  assert.not.ok(report.conforms)
  assert.equal(reasons(report), [
    `there is no tier sideways: choose from ${Object.keys(tiers).join(', ')}`
  ])
})

test('without a baseline nothing conforms', async () => {
  const report = await conformance({ tiers: [], files: ['test-of-nothing'] })
  assert.not.ok(report.conforms)
  assert.match(report.baseline.error ?? '', 'no test passed on plain mediasoup')
})

function reasons({ tiers }: Report): (string | undefined)[] {
  return tiers.map(({ error }) => error)
}

test.run()
