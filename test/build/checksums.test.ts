// The hashes of the prebuilt workers of a release, from a page that is like that of the real one.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { differences, hashesOf } from '../../build/checksums.mjs'
import { PACKAGES } from '../../server/worker/compile.mjs'
import { authority } from '../certificates.ts'
import { afterTest, cleanUp, rejection } from '../helper.ts'

cleanUp(test)

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const LINUX = 'mediasoup-worker-3.27.1-linux-x64-kernel6.tgz'
const MAC = 'mediasoup-worker-3.27.1-darwin-arm64.tgz'

/** A release page whose archives have these bytes; the answer is its URL. */
async function release(archives: Record<string, string>, digests: Record<string, string> = {}) {
  const { ca, issue } = await authority()
  const before = getCACertificates()
  setDefaultCACertificates([...before, readFileSync(ca, 'utf8')])
  const { cert, key } = await issue('releases')
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) })
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const assets = Object.keys(archives).map(name => ({
    name,
    browser_download_url: `${url}/${name}`,
    digest: digests[name]
  }))
  server.on('request', (request, response) => {
    const name = request.url!.slice(1)
    response.end(name === 'tags/3.27.1' ? JSON.stringify({ assets }) : archives[name])
  })
  afterTest(() => {
    setDefaultCACertificates(before)
    server.closeAllConnections()
    server.close()
  })
  return `${url}/tags`
}

test('each archive of a worker is downloaded and hashed', async () => {
  const api = await release({ [LINUX]: 'linux', [MAC]: 'mac', 'notes.txt': 'notes' })
  assert.equal(await hashesOf('3.27.1', api), { [LINUX]: sha256('linux'), [MAC]: sha256('mac') })
})

test('an archive that has not the hash of its release page is refused', async () => {
  const api = await release({ [LINUX]: 'linux' }, { [LINUX]: `sha256:${sha256('other')}` })
  const { message } = await rejection(hashesOf('3.27.1', api))
  assert.is(
    message,
    `${LINUX} must have the hash of its release, sha256:${sha256('other')} (got sha256:${sha256('linux')})`
  )
})

test('a release without workers is refused: nothing would be checked', async () => {
  const api = await release({ 'notes.txt': 'notes' })
  const { message } = await rejection(hashesOf('3.27.1', api))
  assert.is(message, 'mediasoup 3.27.1 must have prebuilt workers: it has none')
})

test('what the list lacks, or has otherwise, is a difference; older versions in it are none', () => {
  const list = { [LINUX]: sha256('linux'), 'mediasoup-worker-3.21.0-linux-x64.tgz': sha256('old') }
  assert.equal(differences({ [LINUX]: sha256('linux') }, list), [])
  assert.equal(differences({ [LINUX]: 'other', [MAC]: 'mac' }, list), [
    `${LINUX} has the SHA-256 other, and the list has ${sha256('linux')}`,
    `${MAC} has the SHA-256 mac, and the list has none`
  ])
})

test('hosted runs, which are not root, install what a worker is built with', () => {
  for (const file of ['ci', 'upstream', 'release']) {
    const workflow = readFileSync(`.github/workflows/${file}.yml`, 'utf8')
    assert.equal(
      PACKAGES.filter(name => !workflow.includes(` ${name}`)),
      [],
      file
    )
  }
})

test.run()
