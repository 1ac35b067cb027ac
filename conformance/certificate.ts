// A self-signed certificate with its key, written in DER by hand: Node has no function for it, and
// not every machine has openssl.

import { generateKeyPairSync, sign } from 'node:crypto'

/** A new self-signed EC certificate, valid until 2049, and its private key, both as PEM. */
export function certificate(commonName: string): { cert: string; key: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = sequence(set(sequence(COMMON_NAME, element(0x0c, Buffer.from(commonName)))))
  const validity = sequence(utcTime('200101000000Z'), utcTime('491231235959Z'))
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const body = sequence(SERIAL, ECDSA_WITH_SHA256, name, validity, name, spki)
  const signature = element(0x03, Buffer.of(0), sign('sha256', body, privateKey))
  return {
    cert: pem('CERTIFICATE', sequence(body, ECDSA_WITH_SHA256, signature)),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  }
}

const SERIAL = Buffer.from('020101', 'hex')
const COMMON_NAME = Buffer.from('0603550403', 'hex')
const ECDSA_WITH_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex')

function element(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), content])
}

function sequence(...parts: Buffer[]): Buffer {
  return element(0x30, ...parts)
}

function set(...parts: Buffer[]): Buffer {
  return element(0x31, ...parts)
}

function utcTime(time: string): Buffer {
  return element(0x17, Buffer.from(time))
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
