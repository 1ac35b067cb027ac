// Puts the bundles into the folder of a run: those that were built, or new ones when running from
// the sources.

import { cp } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import { bundles } from './bundles.mjs'

export async function addBundles(folder: string): Promise<void> {
  const fromSources = import.meta.url.endsWith('.ts')
  if (!fromSources)
    return cp(new URL('./conformance/', import.meta.url), folder, { recursive: true })
  const { build } = await import('esbuild')
  await build({
    ...bundles,
    absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
    outdir: folder
  })
}
