// Secrets are in no log and in no error, whatever goes wrong.

import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect, remote } from '../../../client/index.ts'
import { PROTOCOL } from '../../../lib/hello.ts'
import { authority, folder } from '../../certificates.ts'
import { afterTest, cleanUp, opus, rejection, startLeaf, until } from '../../helper.ts'
import { AUDIENCE, secretIssuer } from '../../tokens.ts'

cleanUp(test)

const TRACE = ['--log-level', 'trace', '--audit-log', '-']

/** What nobody may read, with a name for it. */
class Secrets {
  readonly #parts = new Map<string, string>()

  add(name: string, ...parts: string[]) {
    for (const part of parts) {
      assert.ok(part.length >= 8, `${name} must be long enough not to be found by chance`)
      this.#parts.set(part, name)
    }
  }

  /** Fails with the name, and the line, of one that is in a text. */
  assertNoneIn(text: string) {
    for (const [part, name] of this.#parts) {
      const line = text.split('\n').find(line => line.includes(part))
      assert.is(line, undefined, `${name} is in ${line}`)
    }
  }

  get size() {
    return this.#parts.size
  }
}

/** A bare connection over TLS, which keeps errors and what is logged for it apart from results. */
async function peerOf(url: string, ca: Buffer) {
  const socket = new WebSocket(url, PROTOCOL, { ca })
  afterTest(() => socket.terminate())
  const told: string[] = []
  const results = new Map<unknown, Record<string, unknown> | undefined>()
  let answers = 0
  socket.on('message', data => {
    const message = JSON.parse(data.toString())
    if (message.method === undefined) answers++
    if ('result' in message) results.set(message.id, message.result)
    else if (message.error || message.method === 'tier.log') told.push(data.toString())
  })
  socket.on('close', (_code, reason) => told.push(String(reason)))
  socket.on('error', error => told.push(String(error)))
  await new Promise(resolve => socket.once('open', resolve))
  let serial = 0

  /** Answers when there is an answer: the result, if it is one. */
  async function send(frame: string) {
    const before = answers
    socket.send(frame)
    await until(() => answers > before || socket.readyState !== socket.OPEN)
  }

  async function call(method: string, ...params: unknown[]) {
    const id = ++serial
    await send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
    return results.get(id) as
      | { $: string; members: Record<string, Record<string, string>> }
      | undefined
  }

  return { socket, told, send, call }
}

test('no token, key or password is in what a tree logs and answers', async () => {
  const secrets = new Secrets()
  const { ca, issue } = await authority()
  const [files, path, issuer] = [await issue('tier'), folder(), secretIssuer()]
  const trusted = readFileSync(ca)
  secrets.add(
    'the private key of the certificate',
    ...readFileSync(files.key, 'utf8')
      .split('\n')
      .filter(line => line.length > 30 && !line.startsWith('---'))
  )
  secrets.add('the secret of tokens', issuer.secret)
  const [secretFile, tokenFile] = [join(path, 'secret'), join(path, 'token')]
  const own = await issuer.issue({ sub: 'aggregator' })
  writeFileSync(secretFile, issuer.secret)
  writeFileSync(tokenFile, own)
  const doors = [
    '--tls-cert',
    files.cert,
    '--tls-key',
    files.key,
    '--token-secret',
    secretFile,
    '--token-audience',
    AUDIENCE
  ]
  const host = await startLeaf([...TRACE, ...doors])
  const entry = await startLeaf([
    ...TRACE,
    '--vertical',
    ...doors,
    '--ca',
    ca,
    '--token',
    tokenFile,
    host.url
  ])

  /** A token, whose parts are secrets, too. */
  async function tokenWith(claims: Parameters<typeof issuer.issue>[0]) {
    const token = await issuer.issue(claims)
    secrets.add('a token', ...token.split('.'))
    return token
  }
  secrets.add('the token of the aggregator', ...own.split('.').slice(1))
  const token = await tokenWith({})
  const bad = [
    await tokenWith({ audience: 'else' }),
    await tokenWith({ expires: -1 }),
    await tokenWith({ scope: 'none' }),
    `${token}x`,
    `${token}.${token}`,
    token.slice(1)
  ]
  const told: string[] = []

  for (const { url } of [host, entry]) {
    for (const token of bad) {
      told.push((await rejection(connect(url, { token, tls: { ca }, reconnect: false }))).message)
      const peer = await peerOf(url, trusted)
      await peer.call('tier.authenticate', { token })
      await until(() => peer.socket.readyState === WebSocket.CLOSED)
      told.push(...peer.told)
    }
    for (const frame of [
      token,
      `{"jsonrpc":"2.0","id":1,"method":"tier.authenticate","params":[{"token":"${token}"`,
      `{"jsonrpc":"2.0","id":1,"method":"tier.authenticate","params":{"token":"${token}"}}`,
      `{"jsonrpc":"2.0","id":1,"method":"tier.authenticate","params":["${token}"]}`,
      `{"jsonrpc":"2.0","id":1,"method":"tier.hello","params":["${token}"]}`
    ]) {
      const peer = await peerOf(url, trusted)
      await peer.send(frame)
      await until(() => peer.socket.readyState === WebSocket.CLOSED)
      told.push(...peer.told)
    }

    const peer = await peerOf(url, trusted)
    await peer.call('tier.authenticate', { token })
    peer.socket.send(
      JSON.stringify({ jsonrpc: '2.0', method: 'tier.log', params: [['debug', 'warn', 'error']] })
    )
    await provoke(peer, secrets)
    told.push(...peer.told)
    peer.socket.close()
    await until(() => peer.socket.readyState === WebSocket.CLOSED)
  }
  for (const url of [
    `wss://user:${token}@host`,
    `http://user:${token}@host`,
    `user:${token}@host`,
    `wss://user:${token}@`
  ]) {
    const error = await Promise.resolve()
      .then(() => remote(url))
      .then(
        () => new Error(''),
        error => error
      )
    assert.ok(error.message, url)
    told.push(error.message)
  }

  assert.ok(secrets.size > 20)
  assert.ok(told.length > 60, String(told.length))
  for (const text of told) secrets.assertNoneIn(text)
  const logs = [...host.lines, ...host.errors, ...entry.lines, ...entry.errors]
  assert.ok(
    logs.some(line => line.includes('"subject":"aggregator"')) &&
      logs.some(line => line.includes('session closed'))
  )
  for (const event of ['connected', 'refused', 'opened', 'closed'])
    assert.ok(
      logs.some(line => line.includes(`"event":"${event}"`)),
      event
    )
  secrets.assertNoneIn(logs.join('\n'))
})

/** Calls that fail, and calls that do not, with secrets in them. */
async function provoke({ call, send }: Awaited<ReturnType<typeof peerOf>>, secrets: Secrets) {
  const srtpKey = randomBytes(30).toString('base64')
  const password = randomBytes(16).toString('hex')
  // The parser of JSON quotes the beginning of what it cannot read.
  secrets.add('an SRTP key', srtpKey.slice(0, 8))
  secrets.add('a password', password)
  const logTags = [
    'info',
    'ice',
    'dtls',
    'rtp',
    'srtp',
    'rtcp',
    'rtx',
    'bwe',
    'score',
    'simulcast',
    'svc',
    'sctp',
    'message'
  ]
  const worker = (await call('mediasoup.createWorker', { logLevel: 'debug', logTags }))!.$
  const router = (await call('Worker.createRouter', worker, { mediaCodecs: [opus] }))!.$
  const listenInfo = { protocol: 'udp', ip: '127.0.0.1' }

  const webRtc = (await call('Router.createWebRtcTransport', router, {
    listenInfos: [listenInfo],
    iceConsentTimeout: 5
  }))!
  secrets.add('an ICE password', webRtc.members.iceParameters!.password!)
  await call('WebRtcTransport.restartIce', webRtc.$)
  const fingerprints = [{ algorithm: 'sha-256', value: password }]
  await call('WebRtcTransport.connect', webRtc.$, {
    dtlsParameters: { role: 'auto', fingerprints }
  })
  await call('WebRtcTransport.connect', webRtc.$, {
    dtlsParameters: { role: 'nonsense', fingerprints }
  })

  const plain = (await call('Router.createPlainTransport', router, {
    listenInfo,
    enableSrtp: true,
    comedia: true
  }))!
  secrets.add('an SRTP key', plain.members.srtpParameters!.keyBase64!)
  const pipe = (await call('Router.createPipeTransport', router, { listenInfo, enableSrtp: true }))!
  secrets.add('an SRTP key', pipe.members.srtpParameters!.keyBase64!)
  for (const srtpParameters of [
    { cryptoSuite: 'AES_CM_128_HMAC_SHA1_80', keyBase64: srtpKey },
    { cryptoSuite: 'none', keyBase64: srtpKey },
    { cryptoSuite: 'AEAD_AES_256_GCM', keyBase64: srtpKey },
    { keyBase64: srtpKey },
    srtpKey,
    [srtpKey]
  ]) {
    await call('PlainTransport.connect', plain.$, { srtpParameters })
    await call('PipeTransport.connect', pipe.$, { ip: '127.0.0.1', port: 9, srtpParameters })
    // In a wrong place: whoever forgets the handle.
    await call('PlainTransport.connect', { srtpParameters })
    await call('PlainTransport.connect', srtpKey, { srtpParameters })
    await call('Router.pipeToRouter', router, { producerId: 'p', router: { $: srtpKey } })
    await call('Router.createWebRtcTransport', router, {
      webRtcServer: { $: { srtpParameters } },
      listenInfos: [{ ...listenInfo, password }]
    })
  }
  await call('Worker.updateSettings', worker, { logLevel: 'debug', password })
  await send(
    `{"jsonrpc":"2.0","id":99,"method":"PlainTransport.connect","params":["${plain.$}",{"srtpParameters":{"keyBase64":"${srtpKey}"}}`
  )
  await send(`{"keyBase64":"${srtpKey}"}`)
  await send(srtpKey)
  await call('Router.close', router)
}

test.run()
