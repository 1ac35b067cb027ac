// Rules of a host: arguments that a leaf refuses, and addresses that it fills in.

import { realpathSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { resolve, sep } from 'node:path'
import type * as ms from 'mediasoup/types'
import type { Mediasoup } from '../../lib/mediasoup.ts'

export interface HostRules {
  /**
   * The address that participants are told to connect to, where an application listens on `0.0.0.0`
   * or `::` and announces none.
   */
  announcedAddress?: string
  /**
   * This host's address for pipes from other hosts. Default: the announced one if an interface has
   * it, else 127.0.0.1.
   */
  pipeAddress?: string
  /** Folders of this host in which a client may name DTLS certificates and keys. Default: none. */
  allowFiles?: string[]
}

interface ListenInfo {
  ip?: string
  announcedAddress?: string
  announcedIp?: string
}

interface Options {
  workerBin?: string
  dtlsCertificateFile?: string
  dtlsPrivateKeyFile?: string
  listenInfo?: ListenInfo
  rtcpListenInfo?: ListenInfo
  listenInfos?: ListenInfo[]
  listenIp?: ListenInfo | string
  listenIps?: (ListenInfo | string)[]
}

const UNSPECIFIED: ReadonlySet<unknown> = new Set(['0.0.0.0', '::', '[::]'])

/**
 * Where pipes from other hosts arrive: at one address, because a pipe takes packets from one
 * address only.
 */
export function pipeListenInfo({
  announcedAddress,
  pipeAddress
}: HostRules): ms.TransportListenInfo {
  const addresses = Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .map(({ address }) => address)
  const ip = pipeAddress ?? addresses.find(address => address === announcedAddress) ?? '127.0.0.1'
  return { protocol: 'udp', ip }
}

/** Checks, and where needed completes, the arguments of a call. */
export function hostRules(mediasoup: Mediasoup, { announcedAddress, allowFiles = [] }: HostRules) {
  const folders = allowFiles.map(folder => realPath(folder) + sep)

  return function applyRules(member: string, args: unknown[]) {
    const options = args[0] as Options | undefined
    if (typeof options !== 'object' || options === null) return
    if (member === 'createWorker') checkFiles(options)
    if (announcedAddress) announce(options, announcedAddress)
  }

  function checkFiles({ workerBin, dtlsCertificateFile, dtlsPrivateKeyFile }: Options) {
    if (workerBin !== undefined && workerBin !== mediasoup.workerBin) {
      throw new TypeError(
        `workerBin must be the one of the host, or not be given (got ${workerBin})`
      )
    }
    for (const [name, file] of Object.entries({ dtlsCertificateFile, dtlsPrivateKeyFile })) {
      if (file !== undefined && !isAllowed(file)) {
        throw new TypeError(
          `${name} must be in a folder that the operator of the host allows (--allow-files): ${file} is not`
        )
      }
    }
  }

  function isAllowed(file: unknown) {
    return typeof file === 'string' && folders.some(folder => realPath(file).startsWith(folder))
  }
}

function announce(options: Options, address: string) {
  const { listenInfo, rtcpListenInfo, listenInfos, listenIp, listenIps } = options
  for (const info of [listenInfo, rtcpListenInfo, ...arrayOf(listenInfos)]) {
    if (isUnannounced(info)) info.announcedAddress = address
  }
  if (listenIp !== undefined) options.listenIp = announceIp(listenIp, address)
  if (listenIps !== undefined)
    options.listenIps = Array.isArray(listenIps)
      ? listenIps.map(ip => announceIp(ip, address))
      : listenIps
}

// The deprecated form: an address, or an object that may announce another one.
function announceIp(listenIp: ListenInfo | string, address: string) {
  const info = typeof listenIp === 'string' ? { ip: listenIp } : listenIp
  return isUnannounced(info) ? { ...info, announcedIp: address } : listenIp
}

// mediasoup refuses arguments of a wrong type.
const arrayOf = <T>(value: T[] | undefined) => (Array.isArray(value) ? value : [])

function isUnannounced(info: ListenInfo | undefined): info is ListenInfo {
  return (
    typeof info === 'object' &&
    info !== null &&
    UNSPECIFIED.has(info.ip) &&
    !info.announcedAddress &&
    !info.announcedIp
  )
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path) // mediasoup says that a file is missing.
  }
}
