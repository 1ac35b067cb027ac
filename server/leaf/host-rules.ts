// Rules of a host about its files: arguments that a leaf refuses. What concerns its network is in
// network/.

import { realpathSync } from 'node:fs'
import { resolve, sep } from 'node:path'
import type { Mediasoup } from '../../lib/mediasoup.ts'
import type { NetworkRules } from './network/network.ts'

export interface HostRules extends NetworkRules {
  /**
   * The address that participants are told to connect to, where an application listens on `0.0.0.0`
   * or `::` and announces none. An IPv4 and an IPv6 one are each for sockets of their family.
   */
  announcedAddress?: string | readonly string[]
  /**
   * This host's address for pipes from other hosts. Default: the announced one if an interface has
   * it, else 127.0.0.1.
   */
  pipeAddress?: string
  /** Folders of this host in which a client may name DTLS certificates and keys. Default: none. */
  allowFiles?: string[]
}

interface Options {
  workerBin?: string
  dtlsCertificateFile?: string
  dtlsPrivateKeyFile?: string
}

/** Checks the arguments of a call. */
export function hostRules(mediasoup: Mediasoup, { allowFiles = [] }: HostRules) {
  const folders = allowFiles.map(folder => realPath(folder) + sep)

  return function applyRules(member: string, args: unknown[]) {
    const options = args[0] as Options | undefined
    if (typeof options !== 'object' || options === null) return
    if (member === 'createWorker') checkFiles(options)
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

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path) // mediasoup says that a file is missing.
  }
}
