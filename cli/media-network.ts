// What `mafalda serve` lets clients do with the network of its host, where its options do not say:
// that depends on who reaches the tier.

import type { LeafOptions } from '../server/index.ts'
import { LOCAL, NON_PUBLIC } from '../server/leaf/network/addresses.ts'
import { isExposed, pipeAddressAt } from '../server/leaf/network/pipe-address.ts'

export interface MediaNetworkOptions
  extends Pick<
    LeafOptions,
    | 'announcedAddress'
    | 'pipeAddress'
    | 'announce'
    | 'rtcPorts'
    | 'allowListen'
    | 'denyPeer'
    | 'allowPeer'
  > {
  listen: { host: string }
}

export function mediaNetwork({
  listen: { host },
  announcedAddress,
  pipeAddress,
  announce,
  rtcPorts,
  allowListen,
  denyPeer,
  allowPeer
}: MediaNetworkOptions) {
  const exposed = isExposed(host)
  return {
    announcedAddress,
    announce,
    pipeAddress: pipeAddressAt(host, { announcedAddress, pipeAddress }),
    rtcPorts,
    allowListen: allowListen ?? (exposed ? [LOCAL] : undefined),
    denyPeer: denyPeer ?? (exposed ? [NON_PUBLIC] : undefined),
    allowPeer
  } satisfies LeafOptions
}
