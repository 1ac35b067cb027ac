// Tokens: who comes in, what they may do, and until when.

import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { AccessError, ConnectionError, type Token, connect, remote } from '../../../client/index.ts'
import { codes } from '../../../lib/errors.ts'
import { type MethodRole, methods } from '../../../lib/methods.ts'
import { horizontal } from '../../../proxy/index.ts'
import { type TokenOptions, leaf, serve } from '../../../server/index.ts'
import { authority, folder } from '../../certificates.ts'
import {
  afterTest,
  cleanUp,
  isAlive,
  opus,
  raw,
  rejection,
  startLeaf,
  until
} from '../../helper.ts'
import { AUDIENCE, keyIssuer, secretIssuer } from '../../tokens.ts'

cleanUp(test)

// In seconds: later than a machine that is busy takes to use a token.
const SOON = 4

const silent = pino({ level: 'silent' })

async function open(tokens: Omit<TokenOptions, 'audience'>, logger = silent) {
  const server = await serve(leaf(localMediasoup), {
    tokens: { audience: AUDIENCE, ...tokens },
    logger
  })
  afterTest(() => server.close())
  return server
}

async function openWith(options: Partial<TokenOptions> = {}) {
  const issuer = secretIssuer()
  const server = await open({ secret: issuer.key, ...options })
  return { ...server, ...issuer, server }
}

async function use(url: string, token: Token, options = {}) {
  const mediasoup = await connect(url, { token, reconnect: false, ...options })
  afterTest(() => mediasoup.close())
  return mediasoup
}

async function refused(url: string, token: string | undefined, why: string) {
  const error = await rejection(connect(url, { token, reconnect: false }))
  assert.instance(error, ConnectionError)
  assert.is(error.message, `cannot connect to ${url}/: it answered 401 ${why}`)
}

/** A bare connection that authenticates with its first message. */
async function authenticated(url: string, token: string) {
  const peer = await raw(url)
  const { result, error } = await peer.call('tier.authenticate', { token })
  assert.is(error, undefined)
  return { ...peer, grant: result as { subject: string; scopes: string[]; expires: number } }
}

test('who has a token comes in, and may do what it allows', async () => {
  const { url, issue } = await openWith()
  const mediasoup = await use(url, await issue())
  const worker = await mediasoup.createWorker()
  assert.ok((await worker.dump()).pid)
  assert.ok((await mediasoup.connection.getLoad()).capacity)
})

test('a token that is not valid is refused at the door, and told why', async () => {
  const { url, issue, secret } = await openWith({ issuer: 'us' })
  const us = { iss: 'us' }
  await use(url, await issue(us))
  const forged = (await issue(us)).split('.').with(2, 'AAAA').join('.')
  const unsigned = [
    Buffer.from('{"alg":"none"}').toString('base64url'),
    (await issue(us)).split('.')[1],
    ''
  ].join('.')
  await refused(url, forged, 'the signature of the token is not valid')
  await refused(url, await secretIssuer().issue(us), 'the signature of the token is not valid')
  await refused(url, unsigned, 'the token must be signed with one of HS256, HS384, HS512')
  await refused(
    url,
    await issue({ ...us, audience: 'else' }),
    `the token must be for the audience ${AUDIENCE}`
  )
  await refused(url, await issue({ iss: 'them' }), 'the token must be issued by us')
  await refused(url, await issue({ ...us, expires: -1 }), 'the token has expired')
  await refused(
    url,
    await issue({ ...us, expires: undefined }),
    'the claim exp of the token is missing or not valid'
  )
  await refused(
    url,
    await issue({ ...us, scope: 'read write' }),
    'the token has no scope of this tier: observe, create, operate, register, rooms'
  )
  await refused(url, secret, 'the token must be a JWT that is signed with a key of this tier')
})

test('a token from a file may end with a line, and what cannot be one is named before it is sent', async () => {
  const { url, issue } = await openWith()
  await use(url, `${await issue()}\n`)
  for (const token of [
    '',
    'two words',
    'schlüssel',
    () => undefined as unknown as string,
    17 as unknown as string
  ]) {
    const error = await rejection(connect(url, { token, reconnect: false }))
    assert.is(
      error.message,
      `cannot connect to ${url}/: a token is a string of visible ASCII characters, or a function that gives one`
    )
  }
})

test('who says nothing of who they are is asked for it by the first answer, and the connection ends', async () => {
  const { url } = await openWith()
  for (const frame of [
    { jsonrpc: '2.0', id: 1, method: 'tier.hello', params: [] },
    { jsonrpc: '2.0', id: 1, method: 'mediasoup.createWorker', params: [{}] },
    'no message'
  ]) {
    const peer = await raw(url)
    const { error } = await peer.answer(frame)
    assert.is(error!.code, typeof frame === 'string' ? codes.parse : codes.unauthenticated)
    const { code, reason } = await peer.closed
    assert.is(code, 4401)
    assert.match(reason, 'the first message is tier.authenticate')
  }
})

test('a token may come in the first message, as that of a browser has to; what follows it waits', async () => {
  const { url, issue } = await openWith()
  const peer = await raw(url)
  peer.send({
    jsonrpc: '2.0',
    id: 1,
    method: 'tier.authenticate',
    params: [{ token: await issue({ scope: 'observe create' }) }]
  })
  peer.send({ jsonrpc: '2.0', id: 2, method: 'tier.hello', params: [] })
  peer.send({ jsonrpc: '2.0', id: 3, method: 'mediasoup.createWorker', params: [{}] })
  await until(() => peer.heard.length === 3)
  assert.equal(
    peer.heard.map(({ id, error }) => [id, error]),
    [
      [1, undefined],
      [2, undefined],
      [3, undefined]
    ]
  )
  const { subject, scopes, expires } = peer.heard[0]!.result as {
    subject: string
    scopes: string[]
    expires: number
  }
  assert.is(subject, 'app')
  assert.equal(scopes, ['observe', 'create'])
  assert.ok(expires > Date.now() / 1000)
})

test('a first message with a token that is not valid is answered, and ends the connection', async () => {
  const { url, issue } = await openWith()
  for (const [token, code] of [
    [await issue({ expires: -1 }), codes.unauthenticated],
    [7, codes.params],
    [undefined, codes.params]
  ] as const) {
    const peer = await raw(url)
    const { error } = await peer.call('tier.authenticate', { token })
    assert.is(error!.code, code)
    assert.is((await peer.closed).code, 4401)
  }
})

test('a token in the URL is none', async () => {
  const { url, issue } = await openWith()
  const peer = await raw(`${url}/?token=${await issue()}&access_token=${await issue()}`)
  assert.is((await peer.call('tier.hello')).error!.code, codes.unauthenticated)
})

const scopeOfRole: Record<MethodRole, string> = {
  query: 'observe',
  call: 'create',
  create: 'create',
  cast: 'create',
  media: 'create',
  close: 'create'
}

test('each method needs the scope of its role, and says which one is missing', async () => {
  const { url, issue } = await openWith()
  const needed = [
    ...[...methods].map(([method, { role }]) => [method, scopeOfRole[role]] as const),
    ['tier.load', 'operate'],
    ['tier.drain', 'operate'],
    ['tier.something', 'operate'],
    ['tier.allowPeer', 'operate'],
    ['tier.locate', 'observe'],
    ['tier.pipeListenInfo', 'observe']
  ] as const
  for (const scope of ['observe', 'create', 'operate']) {
    const peer = await authenticated(url, await issue({ scope }))
    for (const [method, needs] of needed) {
      const { error } = await peer.call(
        method,
        method.startsWith('mediasoup') ? { rtcMinPort: 2, rtcMaxPort: 1 } : 'no/1'
      )
      if (needs === scope) assert.is.not(error?.code, codes.forbidden, method)
      else
        assert.equal(error, {
          code: codes.forbidden,
          message: `${method} needs the scope ${needs}, and the token has ${scope}`,
          data: { name: 'AccessError' }
        })
    }
    const { error } = await peer.call('tier.hello', { via: ['k3x'] })
    assert.is(error?.code, scope === 'operate' ? undefined : codes.forbidden)
    for (const method of ['tier.hello', 'rpc.discover'])
      assert.is((await peer.call(method)).error, undefined)
    assert.is((await peer.call('no.such')).error!.code, codes.method)
  }
})

test('what is refused for want of a scope has its own class of error on the client', async () => {
  const { url, issue } = await openWith()
  const observer = await use(url, await issue({ scope: 'observe' }))
  const error = await rejection(observer.createWorker())
  assert.instance(error, AccessError)
  assert.is((error as AccessError).code, codes.forbidden)
  assert.is(
    error.message,
    'mediasoup.createWorker needs the scope create, and the token has observe'
  )
})

test('the path of the worker program is told to who may operate the host, and in no error', async () => {
  const { url, issue } = await openWith()
  const { workerBin } = localMediasoup
  const application = await use(url, await issue({ scope: 'observe create' }))
  assert.is(application.workerBin, '')
  assert.equal(
    application.getSupportedRtpCapabilities(),
    localMediasoup.getSupportedRtpCapabilities()
  )
  const error = await rejection(application.createWorker({ workerBin: '/bin/sh' }))
  assert.not.match(error.message, workerBin)
  const peer = await authenticated(url, await issue({ scope: 'create' }))
  await peer.call('tier.hello')
  assert.not.match(JSON.stringify(peer.heard), workerBin)
  assert.is((await use(url, await issue())).workerBin, workerBin)
})

test('no way to write a message evades the scopes', async () => {
  const { url, issue } = await openWith()
  const peer = await authenticated(url, await issue({ scope: 'observe' }))
  const create = '"method":"mediasoup.createWorker","params":[{}]'
  const contradicting = [
    `{"jsonrpc":"2.0","id":1,"method":"tier.hello","params":[],${create}}`,
    `{"jsonrpc":"2.0","id":1,"method":"tier.hello","params":["]"],${create}}`,
    `{"jsonrpc":"2.0","id":1,"result":1,${create}}`,
    `{"jsonrpc":"2.0","id":1,"error":[],${create}}`
  ]
  for (const frame of contradicting)
    assert.is((await peer.answer(frame)).error?.code, codes.request, frame)
  const frames = [
    `{"jsonrpc":"2.0","id":1,"method":"tier.hello","params":[{"a":[]}],${create} }`,
    `{"jsonrpc":"2.0","id":1,"method":"tier.hello","params":[],"method":"mediasoup\\u002ecreateWorker"}`,
    `{"jsonrpc":"2.0","id":1,"method":"tier.hello","params":["\\"],"],${create}}`,
    `{"id":1,${create},"jsonrpc":"2.0"}`,
    ` {"jsonrpc":"2.0","id":1,${create}}`,
    `{"jsonrpc":"2.0","id":-1,${create}}`,
    `{"jsonrpc":"2.0","id":"a\\"b",${create}}`,
    `{"jsonrpc":"2.0","id":1,"method":"mediasoup\\u002ecreateWorker","params":[{}]}`
  ]
  for (const frame of frames)
    assert.is((await peer.answer(frame)).error?.code, codes.forbidden, frame)
})

test('a function gives a token for each connect, and a fresh one before the last expires', async () => {
  const { url, issue } = await openWith({ grace: 1 })
  const expiries: number[] = []
  const token = () => {
    const expires = expiries.length < 2 ? SOON : 3600
    expiries.push(Date.now() + expires * 1000)
    return issue({ expires })
  }
  const mediasoup = await use(url, token)
  const worker = await mediasoup.createWorker()
  await until(() => Date.now() > expiries[1]! + 500)
  assert.ok((await worker.dump()).pid)
  assert.is(expiries.length, 3)
})

test('an open link is renewed by tier.authenticate, also for other scopes, but not for another subject', async () => {
  const { url, issue } = await openWith()
  const peer = await authenticated(url, await issue({ scope: 'observe' }))
  assert.is((await peer.call('mediasoup.createWorker', {})).error!.code, codes.forbidden)
  assert.is(
    (await peer.call('tier.authenticate', { token: await issue({ sub: 'somebody else' }) })).error!
      .code,
    codes.forbidden
  )
  assert.is(
    (await peer.call('tier.authenticate', { token: await issue({ expires: -1 }) })).error!.code,
    codes.unauthenticated
  )
  assert.is((await peer.call('mediasoup.createWorker', {})).error!.code, codes.forbidden)
  peer.send({
    jsonrpc: '2.0',
    id: 'renew',
    method: 'tier.authenticate',
    params: [{ token: await issue({ scope: 'create' }) }]
  })
  assert.is((await peer.call('mediasoup.createWorker', {})).error, undefined)
})

test('a token is renewed however the JSON of its message is written', async () => {
  const { url, issue } = await openWith()
  const peer = await authenticated(url, await issue())
  const params = JSON.stringify([{ token: await issue() }])
  for (const [id, frame] of [
    [
      'spaces',
      `{"jsonrpc": "2.0", "id": "spaces", "method": "tier.authenticate", "params": ${params}}`
    ],
    ['order', `{"params":${params},"method":"tier.authenticate","id":"order","jsonrpc":"2.0"}`],
    [
      'escapes',
      `{"jsonrpc":"2.0","id":"escapes","method":"tier.authentic\\u0061te","params":${params}}`
    ]
  ]) {
    peer.send(frame)
    const { error } = await until(() => peer.heard.find(message => message.id === id))
    assert.is(error, undefined, id)
  }
})

test('who renews a token again and again is closed', async () => {
  const { url, issue } = await openWith()
  const peer = await authenticated(url, await issue())
  const token = await issue()
  for (let id = 0; id < 1_000; id++)
    peer.send({ jsonrpc: '2.0', id, method: 'tier.authenticate', params: [{ token }] })
  assert.equal(await peer.closed, {
    code: 4429,
    reason: 'a token is renewed at most 10 times at once, and once per second'
  })
})

test('when the token has expired nothing can be asked, what is there lives on in the grace, and it can be renewed', async () => {
  const { url, issue } = await openWith({ grace: 60_000 })
  const peer = await authenticated(url, await issue({ expires: SOON }))
  const { result } = await peer.call('mediasoup.createWorker', {})
  const {
    $: worker,
    members: { pid }
  } = result as { $: string; members: { pid: number } }
  const { error } = await until(async () => {
    const answer = await peer.call('Worker.dump', worker)
    return answer.error && answer
  })
  assert.equal(error, {
    code: codes.unauthenticated,
    message: 'the token has expired: renew it with tier.authenticate before Worker.dump',
    data: { name: 'AccessError' }
  })
  assert.ok(isAlive(pid))
  assert.is((await peer.call('tier.authenticate', { token: await issue() })).error, undefined)
  assert.is((await peer.call('Worker.dump', worker)).error, undefined)
  peer.send({ jsonrpc: '2.0', method: 'Worker.close', params: [worker] })
  await until(() => !isAlive(pid))
})

test('in the grace objects can still be closed', async () => {
  const { url, issue } = await openWith({ grace: 60_000 })
  const peer = await authenticated(url, await issue({ expires: SOON }))
  const { result } = await peer.call('mediasoup.createWorker', {})
  const {
    $: worker,
    members: { pid }
  } = result as { $: string; members: { pid: number } }
  await until(async () => (await peer.call('Worker.dump', worker)).error)
  peer.send({ jsonrpc: '2.0', method: 'Worker.close', params: [worker] })
  await until(() => !isAlive(pid))
})

test('after the grace the session ends with 4401 and the reason, and takes its objects with it', async () => {
  const { url, issue } = await openWith({ grace: 200 })
  const peer = await authenticated(url, await issue({ expires: SOON }))
  const { result } = await peer.call('mediasoup.createWorker', {})
  assert.equal(await peer.closed, {
    code: 4401,
    reason: 'the token has expired, and was not renewed'
  })
  await until(() => !isAlive((result as { members: { pid: number } }).members.pid))

  const mediasoup = await connect(url, { token: await issue({ expires: SOON }), reconnect: false })
  const worker = await mediasoup.createWorker()
  const error = await new Promise<Error>(resolve => worker.on('died', resolve))
  assert.match(error.message, 'the token has expired, and was not renewed')
})

test('a session goes on, on another connection, with a token for its subject, and with the rights of that', async () => {
  const { url, issue } = await openWith()
  const key = { session: 's'.repeat(16), secret: 'x'.repeat(32), received: 0 }
  const first = await authenticated(url, await issue())
  assert.is((await first.call('tier.open', key)).error, undefined)
  const { result } = await first.call('mediasoup.createWorker', {})
  const { $: worker } = result as { $: string }
  first.socket.terminate()

  const thief = await authenticated(url, await issue({ sub: 'somebody else' }))
  const { error } = await thief.call('tier.open', { ...key, received: 1, resume: true })
  assert.is(error!.code, codes.session)
  await thief.closed
  const again = await authenticated(url, await issue({ scope: 'observe' }))
  assert.is((await again.call('tier.open', { ...key, received: 1, resume: true })).error, undefined)
  assert.is((await again.call('Worker.dump', worker)).error, undefined)
  assert.is((await again.call('Worker.createRouter', worker, {})).error!.code, codes.forbidden)
})

test('a session stays with its subject when the process of its proxy was replaced', async () => {
  const host = await startLeaf()
  const { key: secret, issue } = secretIssuer()
  const start = () => {
    const tier = horizontal([remote(host.url)])
    afterTest(() => tier.close())
    return serve(tier, { tokens: { secret, audience: AUDIENCE }, logger: silent })
  }
  const key = { session: 's'.repeat(16), secret: 'x'.repeat(32), received: 0 }
  const server = await start()
  const owner = await authenticated(server.url, await issue())
  await owner.call('tier.open', key)
  await owner.call('tier.hello') // A cluster waits for its first host.
  const { result } = await owner.call('mediasoup.createWorker', {})
  const { $: worker } = result as { $: string }
  await server.close({ comesBack: true })

  const next = await start()
  afterTest(() => next.close())
  const resume = { ...key, received: null, resume: true }
  const told = async (sub: string) => {
    const peer = await authenticated(next.url, await issue({ sub }))
    assert.is((await peer.call('tier.open', resume)).error, undefined)
    const { result } = await peer.call('tier.recall', { nodes: [worker.split('/')[0]] })
    return { peer, ...(result as { count: number }) }
  }
  const thief = await told('somebody else')
  assert.is(thief.count, 0)
  assert.ok((await thief.peer.call('Worker.dump', worker)).error)
  const { peer, count } = await told('app')
  assert.is(count, 1)
  assert.is((await peer.call('Worker.dump', worker)).error, undefined)
})

test('tokens are verified with a JWKS file, which is read again when it changes', async () => {
  const [first, second] = [await keyIssuer('first'), await keyIssuer('second')]
  const keys = join(folder(), 'jwks.json')
  writeFileSync(keys, JSON.stringify({ keys: [first.jwk] }))
  const { url } = await open({ keys })
  const mediasoup = await use(url, await first.issue())
  await refused(
    url,
    await second.issue(),
    'the kid of the token must be that of a key which this tier has'
  )

  writeFileSync(`${keys}.new`, JSON.stringify({ keys: [second.jwk] }))
  renameSync(`${keys}.new`, keys)
  const token = await second.issue()
  await until(() =>
    use(url, token).then(
      () => true,
      () => false
    )
  )
  await refused(
    url,
    await first.issue(),
    'the kid of the token must be that of a key which this tier has'
  )
  assert.ok(await mediasoup.createWorker())
})

test('keys that cannot be used are not taken', async () => {
  const issuer = await keyIssuer()
  const keys = join(folder(), 'key.pem')
  writeFileSync(keys, issuer.pem)
  const said: string[] = []
  const server = await open(
    { keys },
    pino({ level: 'error' }, { write: line => void said.push(line) })
  )
  await use(server.url, await issuer.issue())
  for (const contents of ['', '{"keys":', 'nonsense']) {
    writeFileSync(keys, contents)
    server.reload()
    assert.match(said.at(-1)!, 'the keys of tokens cannot be used: those before stay')
  }
  await use(server.url, await issuer.issue())
})

test('a public key is not taken for a secret', async () => {
  const issuer = await keyIssuer()
  const { url } = await open({ keys: Buffer.from(issuer.pem) })
  await use(url, await issuer.issue())
  await refused(
    url,
    await secretIssuer(issuer.pem).issue(),
    'the token must be signed with one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519'
  )
})

test('what cannot be meant is refused at the start', async () => {
  const start = (tokens: object) =>
    rejection(serve(leaf(localMediasoup), { tokens: tokens as TokenOptions }))
  const secret = Buffer.alloc(32, 1)
  assert.match((await start({ audience: AUDIENCE })).message, /give one of them/)
  assert.match(
    (await start({ audience: AUDIENCE, secret, keys: secret })).message,
    /give one of them/
  )
  assert.match((await start({ secret })).message, /tokens need an audience/)
  assert.match(
    (await start({ audience: AUDIENCE, secret: Buffer.from('short\n') })).message,
    /at least 32 bytes \(it has 5\)/
  )
  assert.match((await start({ audience: AUDIENCE, keys: '/nowhere.json' })).message, /ENOENT/)
})

test('a tier shows its own token below, and not that of its client: a tree of TLS, tokens and client certificates', async () => {
  const [outer, inner] = [await authority(), await authority()]
  const [apps, tiers] = [secretIssuer(), await keyIssuer()]
  const path = folder()
  const files = {
    secret: join(path, 'secret'),
    keys: join(path, 'jwks.json'),
    token: join(path, 'token')
  }
  writeFileSync(files.secret, apps.secret + '\n')
  writeFileSync(files.keys, JSON.stringify({ keys: [tiers.jwk] }))
  writeFileSync(files.token, (await tiers.issue({ sub: 'aggregator' })) + '\n')
  const [host, entry, tier] = [
    await inner.issue('host'),
    await outer.issue('entry'),
    await inner.issue('tier')
  ]
  const below = await startLeaf([
    '--tls-cert',
    host.cert,
    '--tls-key',
    host.key,
    '--tls-ca',
    inner.ca,
    '--token-keys',
    files.keys,
    '--token-audience',
    AUDIENCE
  ])
  const above = await startLeaf([
    '--vertical',
    '--tls-cert',
    entry.cert,
    '--tls-key',
    entry.key,
    '--token-secret',
    files.secret,
    '--token-audience',
    AUDIENCE,
    '--ca',
    inner.ca,
    '--cert',
    tier.cert,
    '--key',
    tier.key,
    '--token',
    files.token,
    below.url
  ])

  const mediasoup = await use(above.url, await apps.issue({ scope: 'observe create' }), {
    tls: { ca: outer.ca }
  })
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const transport = await router.createDirectTransport()
  assert.ok((await transport.getStats()).length)
  assert.is(
    ((await rejection(mediasoup.connection.getLoad())) as AccessError).code,
    codes.forbidden
  )

  assert.ok(below.lines.some(line => JSON.parse(line).subject === 'aggregator'))
  assert.not.ok(below.lines.some(line => JSON.parse(line).subject === 'app'))
  await rejection(
    connect(below.url, {
      token: await apps.issue(),
      tls: { ca: inner.ca, ...tier },
      reconnect: false
    })
  )
})

test.run()
