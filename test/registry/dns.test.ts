// Hosts that are the addresses of a name.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type DnsOptions, dnsHosts } from '../../registry/hosts/dns.ts'
import { afterTest, cleanUp } from '../helper.ts'
import { startDns } from '../kit/dns.ts'
import { until } from '../kit/until.ts'
import { listen } from './store-suite.ts'

cleanUp(test)

async function look(url: string, options: DnsOptions = {}) {
  const dns = await startDns()
  const hosts = listen(dnsHosts(url, { servers: [dns.server], ttl: [10, 20], ...options }))
  afterTest(async () => {
    await hosts.end()
    dns.close()
  })
  return { dns, told: hosts.told, changes: hosts.changes }
}

test('the addresses of a name are hosts, which come and go with its records', async () => {
  const { dns, told } = await look('dns+ws://media.example:4000')
  dns.names.set('media.example', {
    A: ['10.0.0.1', '10.0.0.2'],
    AAAA: ['2001:db8:0:0:0:0:0:1']
  })
  await until(() => told.length === 3)
  assert.equal(told.toSorted(), [
    '+ws://10.0.0.1:4000',
    '+ws://10.0.0.2:4000',
    '+ws://[2001:db8::1]:4000'
  ])
  dns.names.set('media.example', { A: ['10.0.0.3', '10.0.0.2'] })
  await until(() => told.length === 6)
  assert.equal(told.slice(3).toSorted(), [
    '+ws://10.0.0.3:4000',
    '-ws://10.0.0.1:4000',
    '-ws://[2001:db8::1]:4000'
  ])
  dns.names.delete('media.example') // As of a service without pods.
  await until(() => told.length === 8)
})

test('a server that fails, or is silent, takes no host out', async () => {
  const state: string[] = []
  const { dns, told } = await look('dns+ws://media.example:4000', {
    onAway: () => state.push('away'),
    onBack: () => state.push('back')
  })
  dns.names.set('media.example', { A: ['10.0.0.1'] })
  await until(() => told.length === 1)
  dns.state = 'failing'
  await until(() => state.length === 1)
  dns.names.set('media.example', { A: ['10.0.0.1', '10.0.0.2'] })
  dns.state = 'up'
  await until(() => told.length === 2)
  dns.state = 'silent'
  await until(() => state.length === 3)
  assert.equal(state, ['away', 'back', 'away'])
  assert.equal(told, ['+ws://10.0.0.1:4000', '+ws://10.0.0.2:4000'])
})

test('the SRV records of a service have the ports of its hosts', async () => {
  const { dns, told } = await look('dns+wss://_mafalda._tcp.media.example')
  dns.names.set('_mafalda._tcp.media.example', {
    SRV: [
      { name: 'a.media.example', port: 4000 },
      { name: 'a.media.example', port: 4001 }
    ]
  })
  await until(() => told.length === 2)
  assert.equal(told.toSorted(), ['+wss://a.media.example:4000', '+wss://a.media.example:4001'])
})

test('certificates of hosts at addresses are for the name', async () => {
  const { dns, changes } = await look('dns+wss://media.example:4000')
  dns.names.set('media.example', { A: ['10.0.0.1'] })
  await until(() => changes.length === 1)
  const url = 'wss://10.0.0.1:4000'
  assert.equal(changes, [{ host: { id: url, url, servername: 'media.example' } }])
})

test('an answer is used for as long as it is good, within bounds', async () => {
  const { dns, told } = await look('dns+ws://media.example:4000', { ttl: [10, 3_600_000] })
  await until(() => dns.asked >= 2)
  dns.ttl = 3_600
  dns.names.set('media.example', { A: ['10.0.0.1'] })
  await until(() => told.length === 1)
  const { asked } = dns
  await new Promise(resolve => setTimeout(resolve, 300))
  assert.is(dns.asked, asked)
})

test('a URL that names no hosts is refused with what it may be', () => {
  for (const url of [
    'dns+ws://media.example',
    'dns+ws://media.example:99999',
    'dns+ws://_mafalda._tcp.media.example:4000',
    'dns+http://media.example:4000',
    'dns+ws://:4000',
    'dns+ws://user@media.example:4000'
  ])
    assert.throws(() => dnsHosts(url), /is like dns\+ws:\/\/media\.example:4000/, url)
})

test.run()
