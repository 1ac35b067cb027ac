// How a Router that spans Workers is piped: so that what arrives on one Worker arrives on the
// others, as if there were one.

const MEBIBYTE = 1024 * 1024

// What mediasoup itself takes as one message.
const MAX_MESSAGE = 8 * MEBIBYTE

/**
 * A pipe takes what the transports at its ends take. mediasoup's defaults are for the connection of
 * one participant: a burst of messages within one Router is no burst there.
 */
const DATA = {
  maxSendMessageSize: MAX_MESSAGE,
  maxReceiveMessageSize: MAX_MESSAGE,
  sctpSendBufferSize: 64 * MEBIBYTE,
  sctpPerStreamSendQueueLimit: 64 * MEBIBYTE,
  sctpMaxReceiverWindowBufferSize: 2 * MAX_MESSAGE
}

export const BETWEEN_HOSTS = DATA

/**
 * Between Workers of one host nobody else sees the packets. But a key frame is a burst that may be
 * larger than the system's buffer of a socket, which is often 208 KiB: what is lost is sent again.
 */
export const WITHIN_A_HOST = {
  ...DATA,
  enableSrtp: false,
  enableRtx: true,
  listenInfo: {
    protocol: 'udp',
    ip: '127.0.0.1',
    recvBufferSize: 4 * MEBIBYTE,
    sendBufferSize: 4 * MEBIBYTE
  }
}
