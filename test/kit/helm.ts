// The chart of deploy/helm, rendered by a real helm.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { findHelm } from '../../build/helm.mjs'

export { noHelm } from '../../build/helm.mjs'

export const CHART = fileURLToPath(new URL('../../deploy/helm/mafalda', import.meta.url))

/** An object of Kubernetes, as far as all are alike. */
export interface Manifest {
  apiVersion: string
  kind: string
  metadata: { name: string; labels?: Record<string, string> }
}

/** Values as `--set-json` takes them: `{ 'hosts.replicas': 3 }`. */
export type Values = Record<string, unknown>

export const NAMESPACE = 'media'

const run = promisify(execFile)

/** What helm says. Rejects with it when helm fails. */
export async function helm(command: string[], values: Values): Promise<string> {
  const sets = Object.entries(values).flatMap(([name, value]) => [
    '--set-json',
    `${name}=${JSON.stringify(value)}`
  ])
  const { stdout } = await run(await findHelm(), [...command, ...sets]).catch(error => {
    throw new Error(error.stderr + error.stdout, { cause: error })
  })
  return stdout
}

/** What `helm install mafalda` would create. */
export async function render(values: Values): Promise<Manifest[]> {
  const text = await helm(['template', 'mafalda', CHART, '--namespace', NAMESPACE], values)
  return parseAllDocuments(text).flatMap(document => {
    if (document.errors[0]) throw document.errors[0]
    return (document.toJS() as Manifest | null) ?? []
  })
}
