// `mafalda top`: a tree in the terminal, as it changes.

import { once } from 'node:events'
import { type Key, emitKeypressEvents } from 'node:readline'
import { type Connection, connect } from '../client/index.ts'
import type { SurveyEntry, SurveyOptions } from '../lib/survey.ts'
import { type AccessOptions, accessOf } from './access.ts'
import { printable } from './printable.ts'
import { draw, firstScreen, placeOf, press } from './top-screen.ts'

const [WIDTH, HEIGHT] = [80, 24]
const LIMIT = 200

/** What a terminal does with these. */
const ESC = {
  begin: '\x1b[?1049h\x1b[?25l',
  end: '\x1b[?25h\x1b[?1049l',
  home: '\x1b[H',
  clearLine: '\x1b[K',
  clearBelow: '\x1b[J',
  chosen: '\x1b[7m',
  plain: '\x1b[0m'
} as const

export async function top(url: string, access: AccessOptions) {
  const mediasoup = await connect(url, accessOf(access))
  const { connection } = mediasoup
  try {
    if (process.stdin.isTTY && process.stdout.isTTY) await live(connection, url)
    else await print(connection)
  } finally {
    mediasoup.close()
  }
}

/** Without a terminal. */
async function print(connection: Connection) {
  const { entries } = await connection.survey(optionsFor([]))
  const size = { columns: WIDTH, rows: Infinity }
  for (const line of draw(entries, firstScreen, size).lines.slice(0, -1)) console.log(line)
}

/** All hosts and Workers, and what was gone down into. */
export function optionsFor(place: readonly SurveyEntry[]): SurveyOptions {
  const below = place.filter(({ kind }) => kind !== 'tier').map(({ id }) => id)
  const last = below.at(-1)
  const also = below.map(under => ({
    under,
    detail: 'all' as const,
    limit: under === last ? LIMIT : 1
  }))
  return { detail: 'workers', limit: LIMIT, also }
}

/** Until it is told to end; then the terminal is as before. */
async function live(connection: Connection, url: string) {
  const { stdin, stdout } = process
  let screen = firstScreen
  let survey = await connection.survey(optionsFor([]))
  let entries = survey.entries
  let note = ''
  let wanted: readonly SurveyEntry[] | undefined
  const over = new AbortController()
  const end = () => over.abort()
  stdout.write(ESC.begin)
  try {
    emitKeypressEvents(stdin)
    stdin.setRawMode(true).on('keypress', onKey).resume()
    stdout.on('resize', show)
    process.once('SIGTERM', end).once('SIGHUP', end)
    connection.on('lost', ({ message }) => tell(`${url}: ${message}`))
    connection.on('regained', () => tell(''))
    survey.on('change', show)
    show()
    await once(over.signal, 'abort')
  } finally {
    stdin.off('keypress', onKey).setRawMode(false).pause()
    stdout.off('resize', show).write(ESC.end)
  }

  function onKey(_text: string | undefined, { name = '', ctrl }: Key) {
    const before = placeOf(entries, screen)
    const next = press(screen, ctrl ? `ctrl-${name}` : name, entries)
    if (!next) return end()
    screen = next
    show()
    const place = placeOf(entries, screen)
    if (place.at(-1)?.id !== before.at(-1)?.id) void look(place)
  }

  /** Asks for another part; what is there is shown until it has come. */
  async function look(place: readonly SurveyEntry[]) {
    wanted = place
    if (survey.closed) return // It is being asked for another one, and then for this.
    survey.close()
    try {
      while (wanted) {
        const options = optionsFor(wanted)
        wanted = undefined
        survey.close()
        survey = (await connection.survey(options)).on('change', show)
      }
      entries = survey.entries
      show()
    } catch (error) {
      tell((error as Error).message)
    }
  }

  function tell(text: string) {
    note = text
    show()
  }

  function show() {
    if (over.signal.aborted) return // It is the terminal of others again.
    // A terminal that does not know its size says 0.
    const columns = stdout.columns || WIDTH
    const { lines, chosen } = draw(entries, screen, { columns, rows: stdout.rows || HEIGHT })
    const told = note ? [...lines.slice(0, -1), printable(note).slice(0, columns)] : lines
    const marked = told.map((line, i) => (i === chosen ? ESC.chosen + line + ESC.plain : line))
    stdout.write(ESC.home + marked.join(`${ESC.clearLine}\r\n`) + ESC.clearLine + ESC.clearBelow)
  }
}
