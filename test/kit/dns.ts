// A DNS server of a few records, which can fail and be silent.

import { type RemoteInfo, type Socket, createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'

const TYPES: Record<number, 'A' | 'AAAA' | 'SRV'> = { 1: 'A', 28: 'AAAA', 33: 'SRV' }
const RESPONSE = 0x8180
const SERVER_FAILURE = 2
const NAME_ERROR = 3

export interface Zone {
  A?: string[]
  AAAA?: string[]
  SRV?: { name: string; port: number }[]
}

export class Dns {
  /** The records of each name, which may change. */
  readonly names = new Map<string, Zone>()
  /** How long each is good for. */
  ttl = 0
  /** Whether each question gets a failure, or no answer. */
  state: 'up' | 'failing' | 'silent' = 'up'
  /** How many questions were asked. */
  asked = 0
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (question, from) => this.#answer(question, from))
  }

  get server(): string {
    return `127.0.0.1:${this.#socket.address().port}`
  }

  close() {
    this.#socket.close()
  }

  #answer(question: Buffer, { port, address }: RemoteInfo) {
    this.asked++
    if (this.state === 'silent') return
    const { name, end } = nameIn(question)
    const type = TYPES[question.readUInt16BE(end)]
    const zone = this.names.get(name.toLowerCase())
    const records = this.state === 'up' && type ? (zone?.[type] ?? []).map(dataOf) : []
    const error = this.state === 'failing' ? SERVER_FAILURE : zone ? 0 : NAME_ERROR
    const head = Buffer.alloc(12)
    question.copy(head, 0, 0, 2)
    for (const [index, value] of [RESPONSE | error, 1, records.length].entries())
      head.writeUInt16BE(value, 2 + 2 * index)
    const asked = question.subarray(12, end + 4)
    const answers = records.map(data => this.#record(question.readUInt16BE(end), data))
    this.#socket.send(Buffer.concat([head, asked, ...answers]), port, address)
  }

  /** Of the name that was asked for, which is at byte 12. */
  #record(type: number, data: Buffer): Buffer {
    const head = Buffer.alloc(12)
    head.writeUInt16BE(0xc00c, 0)
    head.writeUInt16BE(type, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt32BE(this.ttl, 6)
    head.writeUInt16BE(data.length, 10)
    return Buffer.concat([head, data])
  }
}

export async function startDns(): Promise<Dns> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return new Dns(socket)
}

function nameIn(question: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = question[at]!; length; length = question[at]!) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.'), end: at + 1 }
}

function dataOf(record: string | { name: string; port: number }): Buffer {
  if (typeof record !== 'string') {
    const head = Buffer.alloc(6)
    head.writeUInt16BE(record.port, 4)
    const labels = record.name.split('.').map(label => Buffer.from(`\0${label}`, 'latin1'))
    for (const label of labels) label[0] = label.length - 1
    return Buffer.concat([head, ...labels, Buffer.alloc(1)])
  }
  if (isIPv4(record)) return Buffer.from(record.split('.').map(Number))
  // Of those that are written out: eight groups.
  return Buffer.from(
    record
      .split(':')
      .map(group => group.padStart(4, '0'))
      .join(''),
    'hex'
  )
}
