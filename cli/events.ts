// `mafalda events`: what happens in a tree, as JSON lines, until it is told to end.

import { once } from 'node:events'
import { connect } from '../client/index.ts'
import { eventsIn } from '../lib/survey-events.ts'
import { type AccessOptions, accessOf } from './access.ts'

// As many as there may be: of those that are not told, nothing is heard.
const ALL = { detail: 'workers', limit: 100_000, most: 20_000 } as const

export async function events(url: string, access: AccessOptions) {
  const mediasoup = await connect(url, accessOf(access))
  const { connection } = mediasoup
  const end = () => mediasoup.close()
  process.once('SIGINT', end).once('SIGTERM', end)
  // Whoever reads it has gone: `| head`.
  process.stdout.on('error', end)
  connection.on('lost', ({ message }) => console.error(`${url}: ${message}; it is tried again`))
  try {
    const survey = await connection.survey(ALL)
    let before = new Map(survey.entries)
    survey.on('change', changes => {
      for (const event of eventsIn(before, changes)) console.log(JSON.stringify(event))
      before = new Map(survey.entries)
    })
    await once(survey, 'close')
  } finally {
    mediasoup.close()
  }
}
