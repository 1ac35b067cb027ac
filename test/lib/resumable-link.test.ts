// A ResumableLink against a model of two arrays: whatever breaks, each frame arrives once, and in
// order.

import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ConnectionError } from '../../lib/errors.ts'
import { ResumableLink } from '../../lib/resumable-link.ts'
import type { Frame, Link, LinkEvents } from '../../lib/tier.ts'

/** One end of a connection, on which frames wait until they are delivered. */
class Carrier extends EventEmitter<LinkEvents> implements Link {
  peer!: Carrier
  readonly bufferedAmount = 0
  readonly queue: Frame[] = []
  isOpen = true

  static pair() {
    const [one, other] = [new Carrier(), new Carrier()]
    one.peer = other
    other.peer = one
    return [one, other] as const
  }

  send(frame: Frame) {
    if (this.isOpen) this.queue.push(frame)
  }

  deliver() {
    const frame = this.queue.shift()
    if (frame !== undefined && this.peer.isOpen) this.peer.emit('frame', frame)
  }

  /** What is on its way is lost. */
  break() {
    this.isOpen = false
    this.emit('close', new ConnectionError('the connection broke'))
  }

  close(error?: Error) {
    if (!this.isOpen) return
    this.isOpen = false
    this.emit('close', error)
  }

  pause() {}
  resume() {}
}

const SIDES = [0, 1] as const
type Side = (typeof SIDES)[number]

interface Model {
  sent: [string[], string[]]
  isConnected: boolean
  isClosed: boolean
}

class Real {
  readonly links = [new ResumableLink(1e6), new ResumableLink(1e6)] as const
  readonly got: [string[], string[]] = [[], []]
  readonly closed = [0, 0]
  carriers: readonly [Carrier, Carrier] | undefined

  constructor() {
    for (const side of SIDES) {
      this.links[side].on('frame', frame => this.got[side].push(String(frame)))
      this.links[side].on('close', () => this.closed[side]!++)
    }
    this.connect()
  }

  /** As a client and a server do it: each says how much it has. */
  connect() {
    const [client, server] = this.links
    const [ours, theirs] = (this.carriers = Carrier.pair())
    const { received } = server
    server.attach(theirs, client.received)
    client.attach(ours, received)
  }

  break() {
    for (const carrier of this.carriers!) if (carrier.isOpen) carrier.break()
  }

  deliverAll() {
    while (this.carriers!.some(({ queue }) => queue.length))
      for (const carrier of this.carriers!) carrier.deliver()
  }
}

type Command = fc.Command<Model, Real>

/** What arrives is what was sent, as far as it has arrived. */
function check({ sent }: Model, { got }: Real) {
  for (const side of SIDES)
    assert.equal(got[side], sent[(1 - side) as Side].slice(0, got[side].length))
}

class Send implements Command {
  readonly side: Side
  constructor(side: Side) {
    this.side = side
  }
  check = () => true
  toString = () => `send(${this.side})`

  run(model: Model, real: Real) {
    const { length } = model.sent[this.side]
    const frame = `${this.side}:${length}`
    real.links[this.side].send(frame)
    if (!model.isClosed) model.sent[this.side].push(frame)
    check(model, real)
  }
}

class Deliver implements Command {
  readonly side: Side
  constructor(side: Side) {
    this.side = side
  }
  check = ({ isConnected }: Model) => isConnected
  toString = () => `deliver(${this.side})`

  run(model: Model, real: Real) {
    real.carriers![this.side].deliver()
    check(model, real)
  }
}

class Acknowledge implements Command {
  readonly side: Side
  readonly space: string
  constructor(side: Side, space: string) {
    ;[this.side, this.space] = [side, space]
  }
  check = ({ isConnected }: Model) => isConnected
  toString = () => `acknowledge(${this.side})`

  run(model: Model, real: Real) {
    const { space } = this
    const count = real.got[this.side].length
    real.carriers![this.side].send(
      `{"jsonrpc":${space}"2.0",${space}"method":${space}"tier.ack",${space}"params":${space}[${count}]}`
    )
    check(model, real)
  }
}

class Break implements Command {
  check = ({ isConnected }: Model) => isConnected
  toString = () => 'break'

  run(model: Model, real: Real) {
    real.break()
    model.isConnected = false
    // What has not arrived is kept.
    for (const side of SIDES) {
      const missing = model.sent[side].slice(real.got[(1 - side) as Side].length).join('')
      assert.ok(real.links[side].bufferedAmount >= missing.length)
    }
  }
}

class Resume implements Command {
  check = ({ isConnected, isClosed }: Model) => !isConnected && !isClosed
  toString = () => 'resume'

  run(model: Model, real: Real) {
    real.connect()
    model.isConnected = true
  }
}

/** The client has lost the connection, and the server has not noticed. */
class TakeOver implements Command {
  check = ({ isConnected, isClosed }: Model) => isConnected && !isClosed
  toString = () => 'take over'

  run(model: Model, real: Real) {
    real.carriers![0].break()
    real.connect()
    check(model, real)
  }
}

class Close implements Command {
  readonly side: Side
  constructor(side: Side) {
    this.side = side
  }
  check = ({ isConnected, isClosed }: Model) => isConnected && !isClosed
  toString = () => `close(${this.side})`

  run(model: Model, real: Real) {
    real.deliverAll()
    real.links[this.side].close()
    real.links[(1 - this.side) as Side].end()
    Object.assign(model, { isConnected: false, isClosed: true })
  }
}

const side = fc.constantFrom(...SIDES)
const commands = [
  side.map(side => new Send(side)),
  side.map(side => new Send(side)),
  side.map(side => new Deliver(side)),
  side.map(side => new Deliver(side)),
  fc
    .tuple(side, fc.constantFrom('', ' ', '\n\t'))
    .map(([side, space]) => new Acknowledge(side, space)),
  fc.constant(new Break()),
  fc.constant(new Resume()),
  fc.constant(new TakeOver()),
  side.map(side => new Close(side))
]

test('each frame arrives once and in order, whatever breaks, is resumed, taken over or acknowledged', () => {
  fc.assert(
    fc.property(fc.commands(commands, { maxCommands: 200 }), run => {
      const [model, real] = [
        { sent: [[], []], isConnected: true, isClosed: false } as Model,
        new Real()
      ]
      fc.modelRun(() => ({ model, real }), run)
      if (model.isClosed) return assert.equal(real.closed, [1, 1])
      if (!model.isConnected) real.connect()
      real.deliverAll()
      assert.equal(real.got, [model.sent[1], model.sent[0]])
      assert.equal(real.closed, [0, 0])
    }),
    { numRuns: 300 }
  )
})

test('a peer that forgets is sent again only what it was not sent before, and both count from 0', () => {
  const {
    links: [client],
    carriers
  } = new Real()
  client.send('sent')
  carriers![0].break()
  client.send('waits')
  assert.equal(client.restart(), ['waits'])
  assert.is(client.received, 0)
  const [ours] = Carrier.pair()
  const heard: boolean[] = []
  client.on('regained', hasForgotten => heard.push(hasForgotten))
  client.attach(ours, 0)
  client.send('new')
  assert.equal(ours.queue, ['new'])
  assert.equal(heard, [true])
  ours.break()
  client.attach(Carrier.pair()[0], 1)
  assert.equal(heard, [true, false])
})

test('a peer that says that it has what it was never sent ends the session', () => {
  const {
    links: [client],
    carriers,
    closed
  } = new Real()
  client.send('one')
  carriers![1].send('{"jsonrpc": "2.0", "method": "tier.ack", "params": [2]}')
  carriers![1].deliver()
  assert.is(closed[0], 1)
  assert.ok(client.ended)
})

test('more than may wait for a peer ends the session', () => {
  const link = new ResumableLink(10)
  let error: Error | undefined
  link.on('close', cause => {
    error = cause
  })
  link.send('12345')
  assert.not.ok(error)
  link.send('123456')
  assert.match(error!.message, 'more than 10 bytes wait for the peer')
})

test.run()
