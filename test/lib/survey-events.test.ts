// What changes in a survey say has happened.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { IDLE } from '../../lib/load.ts'
import type {
  SurveyEntry,
  SurveyedSession,
  SurveyedTier,
  SurveyedWorker
} from '../../lib/survey.ts'
import { applyChanges } from '../../lib/survey-changes.ts'
import { eventsIn } from '../../lib/survey-events.ts'

const host = (id: string, more: Partial<SurveyedTier> = {}): SurveyedTier => ({
  id,
  of: 'top',
  kind: 'tier',
  tier: 'leaf',
  name: 'ws://host',
  load: IDLE,
  ...more
})
const worker = (id: string, more: Partial<SurveyedWorker> = {}): SurveyedWorker => ({
  id,
  of: 'n',
  kind: 'Worker',
  pid: 7,
  sessions: [],
  ...more
})
const session = (id: string, more: Partial<SurveyedSession> = {}): SurveyedSession => ({
  id,
  of: 'n',
  kind: 'session',
  subject: 'app',
  address: '192.0.2.7',
  since: 0,
  objects: 0,
  ...more
})

/** What happens, one change after the other. */
function story(...steps: { changed?: SurveyEntry[]; gone?: string[] }[]) {
  const entries = new Map<string, SurveyEntry>()
  return steps.map(({ changed = [], gone = [] }) => {
    const changes = { at: 1, changed, gone }
    const events = eventsIn(entries, changes)
    applyChanges(entries, changes)
    return events.map(({ event }) => event)
  })
}

test('a host comes up, drains, and is lost, with all that it has', () => {
  assert.equal(
    story(
      { changed: [host('n'), worker('w'), session('s')] },
      { changed: [host('n', { draining: {} })] },
      { changed: [host('n')] },
      { changed: [host('n', { load: { ...IDLE, used: 1 } })] },
      { changed: [host('n', { problem: 'refused' })], gone: ['w', 's'] },
      { changed: [host('n'), worker('w'), session('s')] },
      { changed: [host('m')], gone: ['n', 'w', 's'] }
    ),
    [
      ['host up'],
      ['host draining'],
      ['host drain cancelled'],
      [],
      ['host lost'],
      ['host up'],
      ['host lost', 'host up']
    ]
  )
})

test('a host that was never reached is lost once', () => {
  const gone = host('ws://host', { problem: 'refused' })
  assert.equal(
    story(
      { changed: [gone] },
      { changed: [{ ...gone, problem: 'refused again' }] },
      { changed: [host('n')], gone: [gone.id] }
    ),
    [['host lost'], [], ['host up']]
  )
})

test('Workers start, die, and are closed', () => {
  assert.equal(
    story(
      { changed: [host('n')] },
      { changed: [worker('w'), worker('v')] },
      { changed: [worker('w', { cpu: 0.5 })] },
      { changed: [worker('w', { died: true })] },
      { gone: ['w'] },
      { gone: ['v'] }
    ),
    [['host up'], ['worker started', 'worker started'], [], ['worker died'], [], ['worker closed']]
  )
})

test('sessions open, are lost, come back, and end', () => {
  assert.equal(
    story(
      { changed: [host('n')] },
      { changed: [session('s')] },
      { changed: [session('s', { lost: true })] },
      { changed: [session('s', { address: '192.0.2.8' })] },
      { gone: ['s'] }
    ),
    [['host up'], ['session opened'], ['session lost'], ['session resumed'], ['session ended']]
  )
})

test('an event says when, where, what and whose', () => {
  const before = new Map<string, SurveyEntry>([['n', host('n')]])
  assert.equal(eventsIn(before, { at: 5, changed: [session('s'), worker('w')], gone: [] }), [
    {
      at: 5,
      event: 'session opened',
      subject: 'app',
      address: '192.0.2.7',
      id: 's',
      host: 'ws://host'
    },
    { at: 5, event: 'worker started', pid: 7, id: 'w', host: 'ws://host' }
  ])
})

test.run()
