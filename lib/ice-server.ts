// What a participant needs to use a TURN server: the answer to `tier.iceServers` is a list of them.

/** One of `iceServers` of an RTCPeerConnection. */
export interface IceServer {
  urls: string[]
  username: string
  credential: string
}
