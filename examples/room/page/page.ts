// The page: shows the call, and passes on what the user does. The call itself is in call.ts.

/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { MediaKind } from 'mediasoup-client/types'
import type { Carrier, ParticipantInfo } from '../room.ts'
import { Call, openDevices, type View } from './call.ts'

const REJOIN_ATTEMPTS = 8
const REJOIN_PAUSE_MS = 1000
const NEWS_MS = 10_000

const element = <E extends HTMLElement = HTMLElement>(id: string) =>
  document.getElementById(id) as E

const lobby = element('lobby')
const room = element('room')
const nameField = element<HTMLInputElement>('name')
const joinButton = element('join').querySelector('button')!
const participants = element('participants')
const messages = element('messages')
const textField = element<HTMLInputElement>('text')
const sendButton = element('say').querySelector('button')!
const chatButton = element('toggle-chat')

let call: Call | undefined
// Counts the times in the room. One may take several calls.
let visit = 0
let myId = ''
const tiles = new Map<string, HTMLElement>()
const names = new Map<string, string>()
const sentences = { trouble: '', news: '', device: '' }

const view: View = {
  joined(participant) {
    // The first to be announced is the user.
    if (!tiles.size) myId = participant.id
    const tile = newTile(participant)
    tiles.set(participant.id, tile)
    names.set(participant.id, participant.name)
    participants.append(tile)
    showCount()
  },

  left(participantId) {
    tiles.get(participantId)?.remove()
    tiles.delete(participantId)
    showCount()
  },

  track(participantId, track) {
    const stream = tiles.get(participantId)?.querySelector('video')!.srcObject as
      | MediaStream
      | undefined
    if (!stream) return
    for (const old of stream.getTracks()) if (old.kind === track.kind) stream.removeTrack(old)
    stream.addTrack(track)
  },

  live(participantId, kind, live) {
    tiles.get(participantId)?.classList.toggle(`no-${kind}`, !live)
    if (participantId === myId) element(kind).ariaPressed = String(live)
  },

  speaker(participantId) {
    for (const [id, tile] of tiles) tile.classList.toggle('speaker', id === participantId)
  },

  chatOpen() {
    textField.disabled = sendButton.disabled = false
    textField.placeholder = 'Message to everybody'
  },

  chat(participantId, text) {
    const line = document.createElement('p')
    const author = document.createElement('b')
    author.textContent = names.get(participantId) ?? ''
    author.style.setProperty('--hue', hue(participantId))
    line.append(author, text)
    messages.append(line)
    line.scrollIntoView({ block: 'end' })
    chatButton.classList.toggle('unread', room.dataset.chat !== 'open')
  },

  trouble(sentence = '') {
    say({ trouble: sentence })
  },

  lost(sentence, tracks) {
    rejoin(sentence, tracks)
  },

  ended(sentence) {
    showLobby(`${sentence} Join again to go on.`)
  }
}

function newTile({ id, name, sendsTo, receivesFrom }: ParticipantInfo): HTMLElement {
  const tile = copyOf('participant')
  const part = (selector: string) => tile.querySelector<HTMLElement>(selector)!
  part('.name').textContent = id === myId ? `${name} (you)` : name
  part('.carriers').append(
    ...(sendsTo.host === receivesFrom.host && sendsTo.workerPid === receivesFrom.workerPid
      ? [newCarrier('sends to and receives from', sendsTo)]
      : [newCarrier('sends to', sendsTo), newCarrier('receives from', receivesFrom)])
  )
  part('.initial').textContent = name.charAt(0).toUpperCase()
  tile.style.setProperty('--hue', hue(id))
  tile.classList.toggle('me', id === myId)
  const video = tile.querySelector('video')!
  video.srcObject = new MediaStream()
  video.muted = id === myId
  return tile
}

function newCarrier(way: string, { host, workerPid }: Carrier): HTMLElement {
  const line = copyOf('carrier')
  const part = (selector: string) => line.querySelector<HTMLElement>(selector)!
  part('.way').ariaLabel = line.title = way
  part('b').textContent = host
  part('.pid').textContent = String(workerPid)
  line.style.setProperty('--hue', hostHue(host))
  return line
}

function copyOf(template: string): HTMLElement {
  return element<HTMLTemplateElement>(template).content.firstElementChild!.cloneNode(
    true
  ) as HTMLElement
}

/**
 * A colour that is the same in all browsers, and far from that of the next host in the alphabet.
 */
function hostHue(host: string): string {
  const sum = [...host].reduce((sum, letter) => sum + letter.charCodeAt(0), 0)
  return String((sum * 137) % 360)
}

/** A colour for each participant, also when two have the same name. */
function hue(participantId: string): string {
  return String(parseInt(participantId.slice(0, 4), 16) % 360)
}

function showCount(): void {
  element('count').textContent =
    tiles.size === 1 ? 'only you, so far' : `${tiles.size} participants`
}

function say(what: Partial<typeof sentences>): void {
  const { trouble, news, device } = Object.assign(sentences, what)
  element('room-message').textContent = trouble || news || device
}

/** What the page shows between two calls. */
function emptyRoom(): void {
  call = undefined
  tiles.clear()
  participants.replaceChildren()
  textField.disabled = sendButton.disabled = true
  textField.placeholder = 'Opening the chat…'
  for (const kind of ['audio', 'video']) element(kind).ariaPressed = 'false'
}

function showLobby(sentence = ''): void {
  visit++
  emptyRoom()
  messages.querySelectorAll('p:not(.hint)').forEach(line => line.remove())
  joinButton.disabled = false
  room.hidden = true
  lobby.hidden = false
  element('lobby-message').textContent = sentence
  nameField.focus()
}

function showRoom(): void {
  lobby.hidden = true
  room.hidden = false
  element('audio').focus()
}

function showChat(open: boolean): void {
  room.dataset.chat = open ? 'open' : ''
  chatButton.ariaPressed = String(open)
  if (open) chatButton.classList.remove('unread')
}

async function join(): Promise<void> {
  joinButton.disabled = true
  emptyRoom()
  element('lobby-message').textContent = 'Your browser asks for the camera and the microphone…'
  say({ trouble: '', news: '', device: '' })
  const tracks = await openDevices().catch(error => {
    say({ device: `You are here as a viewer: ${whyNoDevice(error)}` })
    return []
  })
  try {
    call = await Call.join(nameField.value, tracks, view)
    showRoom()
  } catch (error) {
    stop(tracks)
    showLobby(`The room could not be joined: ${(error as Error).message}`)
  }
}

/** The host of the call is gone: the room goes on elsewhere, with the same devices and chat. */
async function rejoin(reason: string, tracks: MediaStreamTrack[]): Promise<void> {
  const mine = visit
  say({ trouble: '', news: `${reason} Joining again…` })
  for (let attempt = 1; visit === mine; attempt++) {
    emptyRoom()
    try {
      const next = await Call.join(nameField.value, tracks, view)
      if (visit !== mine) return next.leave()
      call = next
      const news = `${reason} You have joined again.`
      say({ news })
      setTimeout(() => {
        if (sentences.news === news) say({ news: '' })
      }, NEWS_MS)
      return
    } catch (error) {
      if (visit !== mine) break
      if (attempt === REJOIN_ATTEMPTS) {
        showLobby(`${reason} The room could not be joined again: ${(error as Error).message}`)
        break
      }
    }
    await new Promise(resolve => setTimeout(resolve, REJOIN_PAUSE_MS))
  }
  stop(tracks)
}

function stop(tracks: MediaStreamTrack[]): void {
  for (const track of tracks) track.stop()
}

function whyNoDevice(error: Error): string {
  if (!isSecureContext) return 'a browser opens camera and microphone only on https or localhost.'
  if (error.name === 'NotAllowedError') return 'camera and microphone were not allowed.'
  if (error.name === 'NotFoundError') return 'there is no camera and no microphone.'
  return `camera and microphone do not open (${error.message}).`
}

async function toggle(kind: MediaKind): Promise<void> {
  try {
    if (element(kind).ariaPressed === 'true') await call?.turnOff(kind)
    else await call?.turnOn(kind)
    say({ device: '' })
  } catch (error) {
    say({
      device: `The ${kind === 'audio' ? 'microphone' : 'camera'} stays off: ${whyNoDevice(error as Error)}`
    })
  }
}

element('join').addEventListener('submit', event => {
  event.preventDefault()
  join()
})

element('say').addEventListener('submit', event => {
  event.preventDefault()
  const text = textField.value.trim()
  if (text) call?.say(text)
  textField.value = ''
})

element('audio').addEventListener('click', () => toggle('audio'))
element('video').addEventListener('click', () => toggle('video'))
chatButton.addEventListener('click', () => showChat(room.dataset.chat !== 'open'))
element('leave').addEventListener('click', () => {
  call?.leave()
  showLobby()
})

showChat(matchMedia('(min-width: 900px)').matches)
