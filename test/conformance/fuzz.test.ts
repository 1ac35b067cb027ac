// 200,000 frames that nobody should send, to tiers on which somebody else works, and to a client.
// `npm run fuzz` sends more.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Calls } from '../../conformance/fuzz/calls.ts'
import { framesOf } from '../../conformance/fuzz/frames.ts'
import { type FuzzOptions, fuzz } from '../../conformance/fuzz/index.ts'
import { SessionView } from '../../conformance/fuzz/session-view.ts'
import { Ledger } from '../../conformance/fuzz/ledger.ts'
import { garble } from '../../conformance/fuzz/mutate.ts'
import { Random } from '../../conformance/fuzz/random.ts'

// The same frames each time, so that what fails is what changed; other seeds find more.
const SEED = 1

const FRAMES: [target: FuzzOptions['target'], frames: number][] = [
  ['leaf', 120_000],
  ['cluster', 30_000],
  ['vertical', 15_000],
  ['client', 35_000]
]

for (const [target, frames] of FRAMES) {
  test(`${frames} hostile frames do a ${target} no harm, and nobody on it`, async () => {
    const report = await fuzz({ target, frames, seed: SEED, log: console.log })
    console.log(report)
    assert.is(report.problem, undefined, report.culprits?.join('\n'))
    assert.ok(report.frames >= frames)
    assert.ok(report.rounds > report.sessions)
  })
}

test('the same seed makes the same frames', () => {
  const made = () => {
    const [random, known, calls] = [new Random(SEED), new SessionView(['other/1']), new Calls(SEED)]
    known.hear({ result: { $: 'k3x/1', kind: 'Worker', members: {} } })
    known.hear({ result: { $: 'k3x/2', kind: 'Router', of: 'k3x/1', members: {} } })
    return Array.from({ length: 1_000 }, () => framesOf(random, known, calls))
      .flat()
      .map(String)
  }
  assert.equal(made(), made())
  assert.ok(new Set(made()).size > 800)
})

test('a garbled frame is what arrives: half of a surrogate pair would be another id there', () => {
  const random = new Random(SEED)
  const made = Array.from({ length: 1_000 }, () => garble('{"id":"\u{1f600}1"}', random) as string)
  assert.equal(
    made.filter(frame => !frame.isWellFormed()),
    []
  )
  assert.ok(made.some(frame => frame.includes('\ufffd')))
})

test('an answer that is missing, unasked or unheard of is noticed', () => {
  const ledger = new Ledger()
  ledger.sent('{"jsonrpc":"2.0","id":1,"method":"Router.dump","params":["k3x/1"]}')
  ledger.sent('what is this')
  assert.not.ok(ledger.settled)
  assert.match(ledger.missing, 'the answer to {"jsonrpc":"2.0","id":1')
  ledger.heard({ id: 1, result: {} })
  assert.match(ledger.missing, '1 errors without an id')
  ledger.heard({ id: null, error: { code: -32700, message: 'no' } })
  assert.ok(ledger.settled)
  assert.is(ledger.problem, undefined)
  ledger.heard({ id: 1, result: {} })
  assert.match(ledger.problem!, 'nobody waits for')

  const other = new Ledger()
  other.sent('{"jsonrpc":"2.0","id":1,"method":"Router.dump","params":["k3x/1"]}')
  other.heard({ id: 1, error: { code: -1, message: 'no' } })
  assert.match(other.problem!, 'PROTOCOL.md does not know')
})

test.run()
