// Authorities and certificates of tests, in files.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import { afterTest } from './helper.ts'

const KIND = { keyType: 'ec', algorithm: 'sha256' } as const
const names = (commonName: string) => [{ name: 'commonName', value: commonName }]

/** A folder that ends with the test. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), 'mafalda-'))
  afterTest(() => rmSync(path, { recursive: true }))
  return path
}

/**
 * A new authority: the file of its certificate, and what issues certificates for this host into
 * files.
 */
export async function authority() {
  const root = await generate(names('Test Authority'), {
    ...KIND,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true }
    ]
  })
  const path = folder()
  const ca = join(path, 'ca.crt')
  writeFileSync(ca, root.cert)

  /** @param into the files to write instead of new ones */
  async function issue(
    commonName: string,
    into = { cert: join(path, `${commonName}.crt`), key: join(path, `${commonName}.key`) }
  ) {
    const issued = await generate(names(commonName), {
      ...KIND,
      ca: { cert: root.cert, key: root.private },
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }]
    })
    writeFileSync(into.cert, issued.cert)
    writeFileSync(into.key, issued.private)
    return into
  }

  return { ca, issue }
}
