// `connection.survey()`: a program looks at a tree, and goes on when the session or the tier is
// another one.

import { once } from 'node:events'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type LiveSurvey, type SurveyEntry, connect } from '../../client/index.ts'
import { eventsIn } from '../../lib/survey-events.ts'
import { leaf, serve } from '../../server/index.ts'
import { AUDIENCE, secretIssuer } from '../tokens.ts'
import { afterTest, cleanUp, rejection, until } from '../helper.ts'

cleanUp(test)

async function served(port = 0) {
  const tier = leaf(localMediasoup)
  const server = await serve(tier, { port })
  afterTest(() => server.close())
  afterTest(() => tier.close())
  return server
}

async function open(url: string) {
  const mediasoup = await connect(url)
  afterTest(() => mediasoup.close())
  return mediasoup
}

const of = ({ entries }: LiveSurvey, wanted: SurveyEntry['kind']) =>
  [...entries.values()].filter(({ kind }) => kind === wanted)

test('a survey has what there is, and tells what changes', async () => {
  const { url } = await served()
  const [{ connection }, application] = [await open(url), await open(url)]
  const survey = await connection.survey({ detail: 'workers' })
  assert.equal(
    [...survey.entries.values()].map(({ kind }) => kind),
    ['tier', 'session', 'session']
  )
  const worker = await application.createWorker()
  await until(() => of(survey, 'Worker').length === 1)
  worker.close()
  await until(() => of(survey, 'Worker').length === 0)
  survey.close()
  assert.ok(survey.closed)
  let changes = 0
  survey.on('change', () => changes++)
  await application.createWorker()
  const other = await connection.survey({ detail: 'workers' })
  assert.is(of(other, 'Worker').length, 1)
  assert.is(changes, 0)
})

test('a connection has one survey at a time, which ends with it', async () => {
  const { url } = await served()
  const mediasoup = await open(url)
  const survey = await mediasoup.connection.survey()
  const { message } = await rejection(mediasoup.connection.survey())
  assert.match(message, 'a connection has one survey')
  const closed = once(survey, 'close')
  mediasoup.close()
  await closed
})

test('who may not look is told so, and may try again', async () => {
  const { key: secret, issue } = secretIssuer()
  const server = await serve(leaf(localMediasoup), { tokens: { secret, audience: AUDIENCE } })
  afterTest(() => server.close())
  const token = await issue({ scope: 'observe create' })
  const mediasoup = await connect(server.url, { token })
  afterTest(() => mediasoup.close())
  for (let i = 0; i < 2; i++)
    assert.is((await rejection(mediasoup.connection.survey())).name, 'AccessError')
})

test('another process of the tier is asked again, and what has happened is told', async () => {
  const server = await served()
  const { connection } = await open(server.url)
  const survey = await connection.survey()
  const told: string[] = []
  let before = new Map(survey.entries)
  survey.on('change', changes => {
    told.push(...eventsIn(before, changes).map(({ event }) => event))
    before = new Map(survey.entries)
  })
  const [{ id }] = of(survey, 'tier') as [SurveyEntry]
  await server.close()
  const again = await served(Number(new URL(server.url).port))
  await until(() => of(survey, 'tier')[0]!.id !== id)
  const application = await open(again.url)
  await application.createWorker()
  await until(() => told.includes('worker started'))
  assert.ok(told.includes('host up'))
})

test.run()
