// What is measured: the built product, as npm ships it.

import { fileURLToPath } from 'node:url'

const dist = (file: string) => new URL(`../../dist/${file}`, import.meta.url)

export const { connect, client, remote } = (await import(
  dist('client.js').href
)) as typeof import('../../client/index.ts')
export const { leaf, serve } = (await import(
  dist('server.js').href
)) as typeof import('../../server/index.ts')
export const { horizontal, vertical } = (await import(
  dist('index.js').href
)) as typeof import('../../index.ts')
export const mafalda = fileURLToPath(dist('mafalda.js'))
