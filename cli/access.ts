// How the command shows other tiers who it is: files that it is told of.

import { readFile } from 'node:fs/promises'
import type { RemoteOptions } from '../client/index.ts'

export interface AccessOptions {
  ca?: string
  cert?: string
  key?: string
  token?: string
}

export const accessOf = ({
  ca,
  cert,
  key,
  token: file
}: AccessOptions): Pick<RemoteOptions, 'tls' | 'token'> => ({
  tls: ca || cert || key ? { ca, cert, key } : undefined,
  token: file ? async () => (await readFile(file, 'utf8')).trim() : undefined
})
