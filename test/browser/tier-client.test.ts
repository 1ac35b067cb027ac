// The client of dashboards, against real tiers: it says who it is, comes back, and tells what is new.

import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TierClient, type TierClientOptions } from '../../browser/index.ts'
import { connect } from '../../client/index.ts'
import { startRelay } from '../../conformance/relay.ts'
import { leaf, serve, type ServeOptions } from '../../server/index.ts'
import { afterTest, cleanUp, rejection, until } from '../helper.ts'
import { AUDIENCE, secretIssuer } from '../tokens.ts'

cleanUp(test)

async function served(options: ServeOptions = {}) {
  const tier = leaf(localMediasoup)
  const server = await serve(tier, { logger: pino({ level: 'silent' }), ...options })
  afterTest(() => server.close())
  return { tier, url: server.url }
}

function open(url: string, options?: TierClientOptions) {
  const client = new TierClient(url, options)
  afterTest(() => client.close())
  return client
}

test('a survey has what there is, and then what changes', async () => {
  const { url } = await served()
  const mediasoup = await connect(url)
  afterTest(() => mediasoup.close())
  const survey = open(url).survey({ detail: 'routers' })
  let told = 0
  survey.onChange(({ changed, gone }) => {
    told += changed.length + gone.length
  })
  const kinds = () => [...survey.entries.values()].map(({ kind }) => kind)
  await until(() => kinds().includes('session'))
  assert.not(kinds().includes('Worker'))
  const worker = await mediasoup.createWorker()
  await worker.createRouter()
  await until(() => kinds().includes('Router'))
  survey.look({ detail: 'workers' })
  await until(() => kinds().includes('Worker') && !kinds().includes('Router'))
  worker.close()
  await until(() => !kinds().includes('Worker'))
  assert.ok(told > 0 && survey.at > 0)
})

test('when its connection breaks, or goes silent, it is back by itself, with what is different now', async () => {
  const { url } = await served()
  const relay = await startRelay(url)
  afterTest(() => relay.close())
  const client = open(relay.url, { silence: 2_000 })
  const states: string[] = []
  client.onState(state => states.push(state))
  const survey = client.survey({ detail: 'workers' })
  await until(() => survey.entries.size)
  const mediasoup = await connect(url)
  afterTest(() => mediasoup.close())
  for (const cut of [() => relay.breakAll(), () => relay.hang()]) {
    states.length = 0
    cut()
    await until(() => states.includes('connecting'))
    const worker = await mediasoup.createWorker()
    await until(() => [...survey.entries.values()].some(({ kind }) => kind === 'Worker'))
    assert.is(client.state, 'open')
    worker.close()
    await until(() => ![...survey.entries.values()].some(({ kind }) => kind === 'Worker'))
  }
})

test('a call has the answer of the tier, or its error, and rejects when the client is closed', async () => {
  const { url } = await served()
  const client = open(url)
  assert.is(((await client.call('tier.load')) as { capacity: number }).capacity > 0, true)
  const error = (await rejection(client.call('tier.nonsense'))) as Error & { code: number }
  assert.is(error.code, -32601)
  client.close()
  assert.match((await rejection(client.call('tier.load'))).message, 'was closed')
})

test('it shows its token in a message, and stays away when the tier wants another one', async () => {
  const issuer = secretIssuer()
  const { url } = await served({ tokens: { secret: issuer.key, audience: AUDIENCE } })
  const welcome = open(url, { token: () => issuer.issue({ scope: 'operate' }) })
  await welcome.call('tier.load')
  for (const [token, why] of [
    [undefined, 'tier.authenticate'],
    ['nonsense', 'token'],
    [await issuer.issue({ scope: 'observe' }), 'needs the scope operate']
  ] as const) {
    const stranger = open(url, { token })
    const survey = stranger.survey()
    await until(() => stranger.state === 'refused')
    assert.match(stranger.reason!, why)
    assert.is(survey.entries.size, 0)
  }
})

test.run()
