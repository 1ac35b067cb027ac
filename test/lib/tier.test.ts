import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Frame, type Link, join, channel } from '../../lib/tier.ts'

const turn = () => new Promise(resolve => setImmediate(resolve))

function heard(link: Link) {
  const log: unknown[] = []
  link.on('frame', (frame: Frame) => log.push(frame))
  link.on('close', error => log.push(['closed', error?.message]))
  return log
}

test('frames arrive in their order, after the code that sent them, and before the close', async () => {
  const [one, other] = channel()
  const log = heard(other)
  one.send('1')
  one.send(Buffer.from('2'))
  one.close(new Error('enough'))
  one.send('3')
  assert.equal(log, [])
  await turn()
  assert.equal(log, ['1', Buffer.from('2'), ['closed', 'enough']])
})

test('frames that are sent while others arrive are not lost', async () => {
  const [one, other] = channel()
  const log = heard(one)
  other.on('frame', frame => {
    other.send(`re: ${frame}`)
    if (frame === '1') one.send('2')
  })
  one.send('1')
  await turn()
  assert.equal(log, ['re: 1', 're: 2'])
})

test('a listener that throws loses one frame, and neither the next ones nor the close', async () => {
  const [one, other] = channel()
  const log: unknown[] = []
  other.on('frame', frame => {
    log.push(frame)
    if (frame === '2') throw new Error('a fault in a listener')
  })
  other.on('close', () => log.push('closed'))
  const thrown: string[] = []
  const onThrown = (error: Error) => {
    thrown.push(error.message)
  }
  process.on('uncaughtException', onThrown)
  for (const frame of ['1', '2', '3']) one.send(frame)
  await turn()
  one.send('4')
  one.close()
  await turn()
  process.off('uncaughtException', onThrown)
  assert.equal(log, ['1', '2', '3', '4', 'closed'])
  assert.equal(thrown, ['a fault in a listener'])
})

test('what is on its way to an end that closes is dropped, and each end hears of the close once', async () => {
  const [one, other] = channel()
  const [log, otherLog] = [heard(one), heard(other)]
  other.send('late')
  one.close()
  one.close()
  other.close()
  await turn()
  assert.equal(log, [['closed', undefined]])
  assert.equal(otherLog, [['closed', undefined]])
})

test('joined links pass on frames both ways, and close together with the reason', async () => {
  const [client, front] = channel()
  const [back, leaf] = channel()
  join(front, back)
  const [clientLog, leafLog] = [heard(client), heard(leaf)]
  client.send('up')
  leaf.send('down')
  await turn()
  assert.equal([clientLog, leafLog], [['down'], ['up']])
  leaf.close(new Error('gone'))
  await turn()
  assert.equal(clientLog.at(-1), ['closed', 'gone'])
})

test('a link knows the backlog of where its frames go on to', () => {
  const [back, leaf] = channel()
  const [slow] = channel()
  assert.is(leaf.bufferedAmount, 0)
  Object.defineProperty(slow, 'bufferedAmount', { value: 4711 })
  join(slow, back)
  assert.is(leaf.bufferedAmount, 4711)
})

test.run()
