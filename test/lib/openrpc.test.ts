import jsonSchema from '@json-schema-tools/meta-schema'
import openRpc from '@open-rpc/meta-schema'
import { readFile } from 'node:fs/promises'
import { Ajv, type AnySchemaObject } from 'ajv'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { discover } from '../../lib/openrpc.ts'
import { model } from '../../lib/model.ts'
import { tierMethods } from '../../lib/tier-model.ts'

// Their declarations leave out what they export.
const [openRpcSchema, jsonSchemaSchema] = [openRpc, jsonSchema].map(
  module => (module as unknown as { default: AnySchemaObject }).default
)
const document = discover()

test('the OpenRPC document is valid by the published meta-schema', () => {
  const ajv = new Ajv({ strict: false, validateFormats: false, validateSchema: false })
  // Its references spell the address of the JSON schema's own in two ways.
  for (const $id of ['https://meta.json-schema.tools', 'https://meta.json-schema.tools/'])
    ajv.addSchema({ ...jsonSchemaSchema, $id })
  const validate = ajv.compile(openRpcSchema!)
  assert.ok(validate(JSON.parse(JSON.stringify(document))), JSON.stringify(validate.errors))
})

test('it has a method for every method of the model, and no other', () => {
  const names = document.methods.map(({ name }) => name)
  const expected = Object.entries(model).flatMap(([kind, { members }]) => [
    ...Object.entries(members)
      .filter(([, role]) => ['query', 'call', 'create', 'cast', 'media'].includes(role))
      .map(([member]) => `${kind}.${member}`),
    ...(kind === 'mediasoup' ? [] : [`${kind}.close`])
  ])
  assert.equal(names.toSorted(), [...expected, ...tierMethods.keys()].toSorted())
})

test('PROTOCOL.md names each method of the tier itself, and no other', async () => {
  const text = await readFile(new URL('../../lib/PROTOCOL.md', import.meta.url), 'utf8')
  assert.equal(
    [...new Set(text.match(/\b(?:tier|rpc)\.[a-z]\w*/gi))].toSorted(),
    [...tierMethods.keys()].toSorted()
  )
})

test('the table in PROTOCOL.md says who sends each, whether it is answered, and which scope it needs', async () => {
  const text = await readFile(new URL('../../lib/PROTOCOL.md', import.meta.url), 'utf8')
  const rows = [...text.matchAll(/^\| `([a-z]+\.\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$/gm)].map(
    ([, name, ...cells]) => [name, ...cells.map(cell => cell.trim())]
  )
  assert.equal(
    rows,
    [...tierMethods].map(([name, { sent, told }]) => [
      name,
      sent ? (sent.result ? 'request' : 'notification') : '',
      told ? 'notification' : '',
      !sent || sent.inProxy === 'link' ? '' : (sent.scope ?? 'any')
    ])
  )
})

test.run()
