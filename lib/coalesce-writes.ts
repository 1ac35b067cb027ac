// What was corked leaves in one piece. Node.js takes longer to hand the system many small chunks
// than to copy them, and TLS does so too.

import type { Writable } from 'node:stream'

// More is not worth the copy.
const MAX_BYTES = 64 * 1024

interface Chunk {
  chunk: string | Buffer
  encoding: BufferEncoding
}

/** Makes a stream write what is uncorked at once as one chunk. */
export function coalesceWrites(stream: Writable) {
  const writev = stream._writev!.bind(stream)
  stream._writev = (chunks: Chunk[], callback) => {
    let size = 0
    for (const { chunk, encoding } of chunks)
      size += typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length
    if (size > MAX_BYTES) writev(chunks, callback)
    else stream._write(join(chunks, size), 'buffer' as BufferEncoding, callback)
  }
}

function join(chunks: Chunk[], size: number): Buffer {
  const all = Buffer.allocUnsafe(size)
  let end = 0
  for (const { chunk, encoding } of chunks) {
    if (typeof chunk === 'string') end += all.write(chunk, end, encoding)
    else end += chunk.copy(all, end)
  }
  return all
}
