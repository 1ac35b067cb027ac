// The examples in the documents type check, with nothing but our entries and mediasoup's.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { documents, fencesOf, read, root } from './markdown.ts'

const ENTRIES = {
  mafalda: 'index.ts',
  'mafalda/client': 'client/index.ts',
  'mafalda/server': 'server/index.ts',
  'mafalda/proxy': 'proxy/index.ts',
  'mafalda/registry': 'registry/index.ts',
  'mafalda/conformance': 'conformance/index.ts'
}

/** What an application has already where an example begins. */
const AROUND = `
import type { RemoteMediasoup } from 'mafalda/client'
import type * as ms from 'mediasoup/types'

declare global {
  const mediasoup: RemoteMediasoup
  const router: ms.Router
  const transport: ms.WebRtcTransport
  const producerId: string
  const rtpCapabilities: ms.RtpCapabilities
  const mediaCodecs: ms.RouterRtpCodecCapability[]
  function startRoom(options: { mediasoup: RemoteMediasoup }): Promise<unknown>
  function fetchToken(): Promise<string>
  function moveRooms(from: ms.Worker, to: ms.Worker): Promise<void>
  function moveParticipant(participant: unknown): Promise<void>
}
`

interface Example {
  where: string
  text: string
}

/** The complaints of the type checker, by the place of the example. */
function complaints(examples: Example[]): string[] {
  mkdirSync(join(root, 'coverage'), { recursive: true })
  const folder = mkdtempSync(join(root, 'coverage/examples-'))
  try {
    writeFileSync(join(folder, 'around.ts'), AROUND)
    for (const [i, { text }] of examples.entries()) {
      writeFileSync(join(folder, `example-${i}.ts`), `${text}\nexport {}\n`)
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(configuration()))
    const tsc = join(root, 'node_modules/.bin/tsc')
    const args = ['-p', folder, '--pretty', 'false']
    const { stdout, status } = spawnSync(tsc, args, { encoding: 'utf8' })
    const lines = stdout.split('\n').filter(line => line.includes('error TS'))
    assert.is(status === 0, lines.length === 0, stdout)
    const whereOf = (_: string, i: string) => examples[Number(i)]!.where
    return lines.map(line => line.replace(/^.*example-(\d+)\.ts/, whereOf))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function configuration() {
  const paths = Object.entries(ENTRIES).map(([name, file]) => [name, [join(root, file)]])
  return {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { noEmit: true, noUnusedLocals: false, paths: Object.fromEntries(paths) },
    include: ['*.ts'],
    exclude: []
  }
}

test('each example type checks', () => {
  const examples = documents.flatMap(file =>
    fencesOf(read(file), 'js', 'ts').map(({ text, line }) => ({ where: `${file}:${line}`, text }))
  )
  assert.ok(examples.length > 10)
  assert.equal(complaints(examples), [])
})

test('an example that is wrong is named', () => {
  const text = "import { connect } from 'mafalda/client'\nawait connect(7)"
  const wrong = complaints([{ where: 'a page', text }])
  assert.is(wrong.length, 1)
  assert.match(wrong[0]!, /^a page\(2,15\): error TS/)
})

test.run()
