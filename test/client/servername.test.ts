// A tier at an address, whose certificate is for a name.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../client/index.ts'
import { authority } from '../certificates.ts'
import { afterTest, cleanUp, rejection, startLeaf } from '../helper.ts'

cleanUp(test)

test('a certificate is checked against the name that is given, instead of the host of the URL', async () => {
  const { ca, issue } = await authority()
  const { cert, key } = await issue('media', undefined, { dns: 'media.example' })
  const { url } = await startLeaf(['--tls-cert', cert, '--tls-key', key])
  const reach = (servername: string) => connect(url, { tls: { ca, servername }, reconnect: false })
  const mediasoup = await reach('media.example')
  afterTest(() => mediasoup.close())
  assert.ok(await mediasoup.createWorker())
  assert.match((await rejection(reach('other.example'))).message, 'other.example')
})

test.run()
