// Who a client certificate is for: the same name after it was renewed.

import type { X509Certificate } from 'node:crypto'

/**
 * The URI in the certificate, such as that of SPIFFE, which stands for itself. Else a DNS name or the
 * common name, which mean something only together with who issued it.
 */
export function subjectOf(certificate: X509Certificate): string {
  const names = alternativeNames(certificate.subjectAltName)
  const uri = names.find(({ type }) => type === 'URI')
  if (uri) return uri.value
  const { subject, issuer } = certificate
  const name = names.find(({ type }) => type === 'DNS')?.value ?? commonName(subject) ?? subject
  // Without spaces, so that no name reads as that of another authority.
  return `${encodeURI(name)} of ${oneLine(issuer)}`
}

// As Node.js writes them: what has a comma or a quote in it is a string of JSON.
const NAME = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/gy

function alternativeNames(text = ''): { type: string; value: string }[] {
  return [...text.matchAll(NAME)].map(([, type = '', value = '']) => ({
    type,
    value: value.startsWith('"') ? (JSON.parse(value) as string) : value
  }))
}

const commonName = (subject: string | undefined) => /^CN=(.*)$/m.exec(subject ?? '')?.[1]

const oneLine = (name: string) => name.replaceAll('\n', ', ')
