// What was corked leaves in one piece, unless it is large.

import { Writable } from 'node:stream'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { coalesceWrites } from '../../lib/coalesce-writes.ts'

/** A stream as sockets are, with what it was given to write, each time. */
function recorder() {
  const writes: Buffer[][] = []
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, encoding, callback) {
      writes.push([Buffer.from(chunk, encoding)])
      callback()
    },
    writev(chunks, callback) {
      writes.push(chunks.map(({ chunk, encoding }) => Buffer.from(chunk, encoding)))
      callback()
    }
  })
  coalesceWrites(stream)
  return { stream, writes }
}

async function written(stream: Writable, chunks: (string | Buffer)[]) {
  stream.cork()
  const done = Promise.all(
    chunks.map(
      chunk =>
        new Promise<void>((resolve, reject) =>
          stream.write(chunk, error => (error ? reject(error) : resolve()))
        )
    )
  )
  stream.uncork()
  await done
}

test('strings and bytes that were corked are one chunk, and each write is told of its end', async () => {
  const { stream, writes } = recorder()
  await written(stream, [Buffer.of(0x81, 5), '{"é"}', Buffer.of(0x82, 0), '\u{1f600}'])
  assert.equal(writes, [
    [
      Buffer.concat([
        Buffer.of(0x81, 5),
        Buffer.from('{"é"}'),
        Buffer.of(0x82, 0),
        Buffer.from('\u{1f600}')
      ])
    ]
  ])
})

test('what is large is not copied', async () => {
  const { stream, writes } = recorder()
  await written(stream, [Buffer.of(0x82, 127), Buffer.alloc(64 * 1024)])
  assert.equal(
    writes.map(chunks => chunks.map(({ length }) => length)),
    [[2, 64 * 1024]]
  )
})

test.run()
