// mediasoup's tests look into its objects through accessors that are there for tests only. The
// client has none, so they are put on its objects here, from what their observers tell.

import type { EventEmitter } from 'node:events'

import type { RemoteMediasoup } from '../../client/index.ts'
import { channelFor, type ClientObject } from './channel.ts'

/** Equips every object when it is announced, which is before the call that creates it resolves. */
export function addAccessors(mediasoup: RemoteMediasoup): void {
  const observer: EventEmitter = mediasoup.observer
  observer.on('newworker', equipWorker)

  function equipWorker(worker: ClientObject) {
    collect(worker, 'webRtcServersForTesting', 'newwebrtcserver', equipWebRtcServer)
    collect(worker, 'routersForTesting', 'newrouter', router =>
      collect(router, 'transportsForTesting', 'newtransport', equipTransport)
    )
  }

  function equipTransport(transport: ClientObject) {
    addChannel(transport)
    transport.observer.on('newproducer', addChannel)
    transport.observer.on('newconsumer', addChannel)
  }

  function addChannel(object: ClientObject) {
    let channel: EventEmitter | undefined
    Object.defineProperty(object, 'channelForTesting', {
      get: () => (channel ??= channelFor(object))
    })
  }
}

function equipWebRtcServer(webRtcServer: ClientObject) {
  const transports = new Set<ClientObject>()
  Object.defineProperty(webRtcServer, 'webRtcTransportsForTesting', { value: transports })
  webRtcServer.observer.on('webrtctransporthandled', transport => transports.add(transport))
  webRtcServer.observer.on('webrtctransportunhandled', transport => transports.delete(transport))
}

/** Gives an object the accessor to its open children. */
function collect(
  parent: ClientObject,
  accessor: string,
  event: string,
  equip: (child: ClientObject) => void
) {
  const children = new Set<ClientObject>()
  Object.defineProperty(parent, accessor, { value: children })
  parent.observer.on(event, (child: ClientObject) => {
    children.add(child)
    child.observer.once('close', () => children.delete(child))
    equip(child)
  })
}
