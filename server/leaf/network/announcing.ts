// Which address participants are told: the application's, the host's where it says none, or always
// the host's, for applications that announce the address of a machine of their own.

import { isLoopback, isUnspecified, ownAddresses, isLocal, parseAddress } from './addresses.ts'
import { addressFor, announcedAddresses } from './announced-addresses.ts'
import { type Listening, announce, announcedBy } from './listen-infos.ts'

export const ANNOUNCE = ['when-missing', 'always'] as const

export interface Announcing {
  announcedAddress?: string | readonly string[]
  announce?: (typeof ANNOUNCE)[number]
  pipeAddress: string
  /** Is told once of each replacement. */
  log(text: string): void
}

// More are not logged: clients make them up.
const MAX_LOGGED = 100

/** @throws TypeError when there is no address to announce always, or two of a family */
export function announcer({ announcedAddress, announce: when, pipeAddress, log }: Announcing) {
  if (when !== undefined && !ANNOUNCE.includes(when))
    throw new TypeError(`announce must be ${ANNOUNCE.join(' or ')} (got ${String(when)})`)
  const addresses = announcedAddresses(announcedAddress)
  const hasAddress = Object.keys(addresses).length > 0
  if (when === 'always' && !hasAddress)
    throw new TypeError('announce: "always" takes an announcedAddress, which is the one announced')
  const logged = new Set<string>()

  return function applyAnnouncing(member: string, listening: Listening[]) {
    if (!hasAddress) return
    for (const each of listening) {
      if (when !== 'always') complete(each, addressFor(each, addresses))
      else if (isOfPipe(member)) movePipe(each)
      else replace(each, addressFor(each, addresses))
    }
  }

  function replace(listening: Listening, address: string | undefined) {
    const { info } = listening
    const ip = parseAddress(info.ip)
    if (!ip || isLoopback(ip)) return
    const before = wordsOf(listening)
    const asked = announcedBy(listening)
    const isForeign = !isLocal(ip)
    if (isForeign) info.ip = ownAddressLike(ip.kind(), address) ?? info.ip
    if (asked || isUnspecified(ip) || (isForeign && info.ip !== address))
      announce(listening, address)
    if (isForeign || (asked && asked !== address)) tell(before, wordsOf(listening))
  }

  // Whoever connects them may be on another host.
  function movePipe(listening: Listening) {
    const { info } = listening
    const ip = parseAddress(info.ip)
    const to = parseAddress(pipeAddress)
    if (!ip || !to || isLoopback(to) || (isLocal(ip) && !isLoopback(ip))) return
    const before = wordsOf(listening)
    info.ip = pipeAddress
    announce(listening, undefined)
    tell(before, `${wordsOf(listening)}, where pipes from other hosts arrive`)
  }

  function tell(asked: string, given: string) {
    const text = `an application asked to listen on ${asked}: it listens on ${given} (--announce always)`
    if (logged.size >= MAX_LOGGED || logged.has(text)) return
    logged.add(text)
    log(text)
  }
}

const isOfPipe = (member: string) => member === 'createPipeTransport' || member === 'pipeToRouter'

function complete(listening: Listening, address: string | undefined) {
  const ip = parseAddress(listening.info.ip)
  if (ip && isUnspecified(ip) && address && !announcedBy(listening)) announce(listening, address)
}

/** The address to announce if an interface has it, else the first of the kind. */
function ownAddressLike(kind: string, announced: string | undefined): string | undefined {
  const own = ownAddresses().filter(address => parseAddress(address)?.kind() === kind)
  return own.find(address => address === announced) ?? own[0]
}

function wordsOf(listening: Listening): string {
  const announced = announcedBy(listening)
  return `${String(listening.info.ip)}${announced ? ` (announced as ${String(announced)})` : ''}`
}
