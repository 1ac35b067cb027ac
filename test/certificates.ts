// Authorities and certificates of tests, in files.

import { createPrivateKey, webcrypto } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Certificate, CertificateRevocationList, RevokedCertificate, Time } from 'pkijs'
import { generate } from 'selfsigned'
import { afterTest } from './helper.ts'

interface Root {
  cert: string
  private: string
}

interface Issued {
  uri?: string
  dns?: string
  ends?: Date
}

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
 *
 * @param above the authority of this one; default: itself
 */
export async function authority(commonName = 'Test Authority', above?: Root) {
  const root = await generate(names(commonName), {
    ...KIND,
    ...(above && { ca: { cert: above.cert, key: above.private } }),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true }
    ]
  })
  const path = folder()
  const ca = join(path, 'ca.crt')
  writeFileSync(ca, root.cert)

  /**
   * @param into the files to write instead of new ones
   * @param ends when it ends; default: in a year
   */
  async function issue(
    commonName: string,
    into = { cert: join(path, `${commonName}.crt`), key: join(path, `${commonName}.key`) },
    { uri, dns, ends }: Issued = {}
  ) {
    const issued = await generate(names(commonName), {
      ...KIND,
      ca: { cert: root.cert, key: root.private },
      notAfterDate: ends,
      extensions: [
        {
          name: 'subjectAltName',
          altNames: [
            { type: 7, ip: '127.0.0.1' },
            ...(uri ? [{ type: 6 as const, value: uri }] : []),
            ...(dns ? [{ type: 2 as const, value: dns }] : [])
          ]
        }
      ]
    })
    writeFileSync(into.cert, above ? `${issued.cert}\n${root.cert}\n` : issued.cert)
    writeFileSync(into.key, issued.private)
    return into
  }

  /** Writes the list of those certificates that are revoked. */
  async function revoke(file: string, certificates: string[] = []) {
    const { issuer } = certificateIn(root.cert)
    const date = new Time({ value: new Date(Date.now() - HOUR_MS) })
    const list = new CertificateRevocationList({
      version: 1,
      issuer,
      thisUpdate: date,
      nextUpdate: new Time({ value: new Date(Date.now() + HOUR_MS) }),
      revokedCertificates: certificates.map(cert => {
        const { serialNumber } = certificateIn(readFileSync(cert, 'utf8'))
        return new RevokedCertificate({ userCertificate: serialNumber, revocationDate: date })
      })
    })
    const key = createPrivateKey(root.private).export({ type: 'pkcs8', format: 'der' })
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
    const { subtle } = webcrypto
    await list.sign(
      (await subtle.importKey('pkcs8', key, algorithm, false, ['sign'])) as CryptoKey,
      'SHA-256'
    )
    const base64 = Buffer.from(list.toSchema().toBER()).toString('base64')
    writeFileSync(
      file,
      `-----BEGIN X509 CRL-----\n${base64.match(/.{1,64}/g)!.join('\n')}\n-----END X509 CRL-----\n`
    )
    return file
  }

  return { ca, issue, revoke, path, root }
}

const HOUR_MS = 3_600_000

const certificateIn = (pem: string) =>
  Certificate.fromBER(Buffer.from(pem.replace(/-----.*?-----|\s/g, ''), 'base64'))
