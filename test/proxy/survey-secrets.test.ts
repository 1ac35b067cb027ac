// No frame of a survey has a key, a password, a token, or what an application keeps with its
// objects, on any tier.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect, remote } from '../../client/index.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { leaf, serve } from '../../server/index.ts'
import { DTLS_PARAMETERS, audio, openRoom } from '../kit/room.ts'
import { look } from '../kit/surveyor.ts'
import { AUDIENCE, secretIssuer } from '../tokens.ts'
import { afterTest, cleanUp, until } from '../helper.ts'

cleanUp(test)

const LOCAL: ms.TransportListenInfo = { protocol: 'udp', ip: '127.0.0.1' }
const APP_DATA = { password: 'an-app-data-of-ours' }
const LABEL = 'a-protocol-of-ours'

/** What an application has of secrets, and shows nobody. */
async function secretsOf(mediasoup: Awaited<ReturnType<typeof connect>>): Promise<string[]> {
  const room = await openRoom(mediasoup)
  const { router } = room
  const webRtc = await router.createWebRtcTransport({
    listenInfos: [LOCAL],
    enableSctp: true,
    appData: APP_DATA
  })
  await webRtc.connect({ dtlsParameters: DTLS_PARAMETERS })
  const producer = await webRtc.produce({ ...audio(), appData: APP_DATA })
  await webRtc.consume({
    producerId: producer.id,
    rtpCapabilities: room.rtpCapabilities,
    appData: APP_DATA
  })
  await webRtc.produceData({
    label: 'chat',
    protocol: LABEL,
    sctpStreamParameters: { streamId: 1 }
  })
  const plain = await router.createPlainTransport({ listenInfo: LOCAL, enableSrtp: true })
  await plain.connect({ ip: '127.0.0.1', port: 9, srtpParameters: srtpOf(plain) })
  const pipe = await router.createPipeTransport({ listenInfo: LOCAL, enableSrtp: true })
  await pipe.connect({ ip: '127.0.0.1', port: 9, srtpParameters: srtpOf(pipe) })
  return [
    webRtc.iceParameters.usernameFragment,
    webRtc.iceParameters.password,
    ...webRtc.dtlsParameters.fingerprints.map(({ value }) => value),
    ...DTLS_PARAMETERS.fingerprints.map(({ value }) => value),
    plain.srtpParameters!.keyBase64,
    pipe.srtpParameters!.keyBase64,
    APP_DATA.password,
    LABEL,
    ...['appData', 'keyBase64', 'fingerprint', 'usernameFragment', 'password', 'secret']
  ]
}

const srtpOf = ({ srtpParameters }: ms.PlainTransport | ms.PipeTransport) => srtpParameters!

test('a survey of a tree has no secrets', async () => {
  const { key: secret, issue } = secretIssuer()
  const tokens = { secret, audience: AUDIENCE }
  const host = leaf(localMediasoup)
  const below = await serve(host, { tokens })
  afterTest(() => below.close())
  const own = await issue({ sub: 'proxy' })
  const cluster = horizontal([remote(below.url, { token: own })])
  afterTest(() => cluster.close())
  const above = await serve(vertical(cluster), { tokens })
  afterTest(() => above.close())
  const [token, operators] = [await issue({ sub: 'app' }), await issue({ sub: 'operator' })]
  const mediasoup = await connect(above.url, { token })
  afterTest(() => mediasoup.close())
  const secrets = [...(await secretsOf(mediasoup)), own, token, operators, String(secret)]
  for (const url of [above.url, below.url]) {
    const link = await remote(url, { token: operators }).open()
    afterTest(() => link.close())
    const { frames, of, find } = await look(link, { detail: 'all' })
    for (const kind of ['WebRtcTransport', 'PlainTransport', 'PipeTransport', 'Consumer'] as const)
      assert.is(of(kind).length, 1, kind)
    // With all that is told later.
    await find('Consumer', ({ bitrateOut }) => bitrateOut !== undefined)
    await until(() => of('PlainTransport')[0]!.bitrateIn !== undefined)
    for (const hidden of secrets) assert.not(frames.join('\n').includes(hidden), hidden)
  }
})

test.run()
