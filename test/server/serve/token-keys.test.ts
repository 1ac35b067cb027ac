// Keys of tokens that cannot be meant, how long tokens may live, and files that are gone or that
// others can read.

import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportJWK } from 'jose'
import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../../client/index.ts'
import { watchFiles } from '../../../server/serve/files.ts'
import { type TokenOptions, leaf, serve } from '../../../server/index.ts'
import { authority, folder } from '../../certificates.ts'
import { afterTest, cleanUp, rejection, until } from '../../helper.ts'
import { AUDIENCE, keyIssuer, secretIssuer } from '../../tokens.ts'

cleanUp(test)

interface Line {
  level: number
  msg: string
  file?: string
  reason?: string
}

async function open(tokens: Omit<TokenOptions, 'audience'>) {
  const said: Line[] = []
  const server = await serve(leaf(localMediasoup), {
    tokens: { audience: AUDIENCE, ...tokens },
    logger: pino({}, { write: line => void said.push(JSON.parse(line)) })
  })
  afterTest(() => server.close())
  return { server, url: server.url, said }
}

const startError = (keys: string | object) =>
  rejection(
    open({ keys: Buffer.from(typeof keys === 'string' ? keys : JSON.stringify(keys)) })
  ).then(({ message }) => message)

async function use(url: string, token: string) {
  const mediasoup = await connect(url, { token, reconnect: false })
  afterTest(() => mediasoup.close())
}

const refusal = (url: string, token: string) =>
  rejection(connect(url, { token, reconnect: false })).then(({ message }) => message)

const PRIVATE =
  'the keys of tokens are public ones: this is a private key, which only the issuer of tokens may have'

test('keys that are private, or verify nothing, are refused at the start with a sentence', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const [jwk, secret] = [await exportJWK(publicKey), await exportJWK(privateKey)]
  for (const type of ['pkcs8', 'sec1'] as const)
    assert.is(await startError(privateKey.export({ type, format: 'pem' }) as string), PRIVATE)
  assert.is(await startError({ keys: [jwk, secret] }), PRIVATE)
  assert.is(await startError({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] }), PRIVATE)
  const useless = [
    [],
    [{ ...jwk, use: 'enc' }],
    [{ ...jwk, key_ops: ['encrypt'] }],
    [{ ...jwk, alg: 'HS256' }],
    [null, 'key']
  ]
  for (const keys of useless)
    assert.match(await startError({ keys }), 'have none that verifies signatures', String(keys))
  assert.match(await startError(jwk), 'are PEM, or a set of JSON Web Keys: {"keys": […]}')
  const broken = JSON.stringify({ keys: [secret] }).slice(0, -1)
  assert.is(await startError(broken), 'the keys of tokens begin like JSON, and are none')
})

test('a private key in the place of the public ones is not taken later, but an empty set is', async () => {
  const issuer = await keyIssuer()
  const keys = join(folder(), 'jwks.json')
  writeFileSync(keys, JSON.stringify({ keys: [issuer.jwk] }))
  const { server, url, said } = await open({ keys })
  const token = await issuer.issue()
  writeFileSync(keys, JSON.stringify({ keys: [{ ...issuer.jwk, d: 'secret' }] }))
  server.reload()
  assert.is(said.at(-1)!.reason, PRIVATE)
  await use(url, token)
  writeFileSync(keys, '{"keys":[]}')
  server.reload()
  assert.match(await refusal(url, token), 'the kid of the token must be that of a key')
})

test('a file of keys that is gone is looked for again, and each time it is said that the old keys stay', async () => {
  const { secret, issue } = secretIssuer()
  const file = join(folder(), 'secret')
  writeFileSync(file, secret, { mode: 0o600 })
  const { server, url, said } = await open({ secret: file })
  renameSync(file, `${file}.away`)
  const times = () =>
    said.filter(({ msg }) => msg === 'the keys of tokens cannot be used: those before stay')
  for (let i = 1; i <= 3; i++) {
    server.reload()
    assert.is(times().length, i)
  }
  assert.match(times()[0]!.reason!, 'ENOENT')
  await use(url, await issue())
})

test('what cannot be used is read again, later and later, until it can', async () => {
  let [reads, isUsable] = [0, false]
  const file = join(folder(), 'none')
  const watched = watchFiles(
    [file],
    () => {
      reads++
      return isUsable
    },
    { first: 1, last: 4 }
  )
  afterTest(() => watched.unwatch())
  watched.reload()
  await until(() => reads > 3)
  isUsable = true
  await until(() => {
    const before = reads
    return new Promise<boolean>(resolve => setTimeout(() => resolve(reads === before), 20))
  })
})

test('secrets that every user of the host can read are named in the log', async () => {
  const path = folder()
  const [open_, closed] = [join(path, 'open'), join(path, 'closed')]
  const { secret } = secretIssuer()
  for (const file of [open_, closed]) writeFileSync(file, secret)
  chmodSync(open_, 0o644)
  chmodSync(closed, 0o640)
  const warned = ({ said }: { said: Line[] }) =>
    said.filter(({ level }) => level === 40).map(({ file, msg }) => `${file}: ${msg}`)
  const warning = 'every user of this host can read a secret: take that right away'
  assert.equal(warned(await open({ secret: open_ })), [`${open_}: ${warning}`])
  assert.equal(warned(await open({ secret: closed })), [])

  const { cert, key } = await (await authority()).issue('leaf')
  chmodSync(key, 0o604)
  const said: Line[] = []
  const server = await serve(leaf(localMediasoup), {
    tls: { cert, key },
    logger: pino({ level: 'warn' }, { write: line => void said.push(JSON.parse(line)) })
  })
  afterTest(() => server.close())
  assert.equal(warned({ said }), [`${key}: ${warning}`])
  rmSync(cert)
})

const DAY = 24 * 60 * 60

test('a token that is valid for longer than the tier allows is refused', async () => {
  const { key: secret, issue } = secretIssuer()
  const now = Math.floor(Date.now() / 1000)
  const { url } = await open({ secret })
  await use(url, await issue({ expires: DAY }))
  await use(url, await issue({ iat: now - DAY / 2, expires: DAY / 2 }))
  const tooLong = `the token must expire within ${DAY} s of when it was issued: --token-max-life of the tier`
  for (const claims of [
    { expires: DAY + 300 },
    { expires: 1e300 },
    { iat: now - DAY, expires: 600 },
    { iat: now + DAY, expires: DAY + 300 }
  ])
    assert.match(await refusal(url, await issue(claims)), tooLong, JSON.stringify(claims))
  const longer = await open({ secret, maxLife: 30 * DAY * 1000 })
  await use(longer.url, await issue({ expires: 29 * DAY }))
  const short = await open({ secret, maxLife: 60_000 })
  assert.match(await refusal(short.url, await issue()), 'within 60 s')
})

test('tokens without a sub are one subject, and the start says so; or are refused', async () => {
  const { key: secret, issue } = secretIssuer()
  const any = await open({ secret })
  const warning = 'tokens without a sub are taken, and all of them are one subject'
  assert.ok(any.said.some(({ msg }) => msg === warning))
  const token = await issue({ sub: undefined })
  await use(any.url, token)
  const strict = await open({ secret, requireSubject: true })
  assert.not.ok(strict.said.some(({ msg }) => msg === warning))
  assert.match(
    await refusal(strict.url, token),
    'the claim sub of the token is missing or not valid'
  )
  await use(strict.url, await issue())
  for (const sub of ['', 'x'.repeat(257), 7, null])
    assert.match(
      await refusal(strict.url, await issue({ sub })),
      'the sub of the token has 1 to 256'
    )
})

test.run()
