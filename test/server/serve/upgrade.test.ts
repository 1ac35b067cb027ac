// What is upgraded to WebSocket, byte by byte, and what is refused with a sentence.

import { once } from 'node:events'
import { connect as dial } from 'node:net'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { leaf, serve } from '../../../server/index.ts'
import { afterTest, cleanUp } from '../../helper.ts'

cleanUp(test)

const page = 'https://app.example'

async function open() {
  const server = await serve(leaf(localMediasoup), { allowOrigins: [page] })
  afterTest(() => server.close())
  return Number(new URL(server.url).port)
}

const HEADERS = {
  Host: 'tier',
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Protocol': 'mafalda.v1'
}

type Changes = Record<string, string | string[] | undefined>

/** The first line of the answer to a request, its headers, and the sentence in it. */
async function ask(port: number, line: string, changes: Changes) {
  const lines = Object.entries({ ...HEADERS, ...changes }).flatMap(([name, value]) =>
    (value === undefined ? [] : [value].flat()).map(each => `${name}: ${each}`)
  )
  const socket = dial(port, '127.0.0.1')
  afterTest(() => socket.destroy())
  socket.write([line, ...lines, '', ''].join('\r\n'))
  let answer = ''
  socket.on('data', chunk => {
    answer += chunk
    if (answer.startsWith('HTTP/1.1 101')) socket.destroy()
  })
  await once(socket, 'close')
  const [head = '', sentence = ''] = answer.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), head: head.toLowerCase(), sentence: sentence.trim() }
}

const GET = 'GET / HTTP/1.1'

test('HTTP/1.1 with one Host, version 13 and the path / is upgraded', async () => {
  const port = await open()
  for (const [line, changes] of [
    [GET, {}],
    ['GET /?from=here HTTP/1.1', {}],
    [GET, { Origin: page }]
  ] as [string, Changes][])
    assert.is((await ask(port, line, changes)).status, 101, line)
})

const refused: [line: string, changes: Changes, status: number, sentence: string][] = [
  ['GET / HTTP/1.0', {}, 400, 'WebSocket is upgraded from HTTP/1.1 (got HTTP/1.0)'],
  ['GET / HTTP/2.0', {}, 400, 'WebSocket is upgraded from HTTP/1.1 (got HTTP/2.0)'],
  [GET, { Host: undefined }, 400, 'a request has one Host (got 0)'],
  [GET, { Host: ['tier', 'other'] }, 400, 'a request has one Host (got 2)'],
  ['GET /media HTTP/1.1', {}, 400, 'the path of a tier is /'],
  ['GET //? HTTP/1.1', {}, 400, 'the path of a tier is /'],
  ['GET http://other/ HTTP/1.1', {}, 400, 'the path of a tier is /'],
  [GET, { 'Sec-WebSocket-Version': '12' }, 426, 'the version of WebSocket must be 13 (got 12)'],
  [
    GET,
    { 'Sec-WebSocket-Version': undefined },
    426,
    'the version of WebSocket must be 13 (got none)'
  ],
  [
    GET,
    { 'Sec-WebSocket-Version': ['13', '8'] },
    426,
    'the version of WebSocket must be 13 (got 13, 8)'
  ],
  // Before RFC 6455, pages were named elsewhere.
  [
    GET,
    { 'Sec-WebSocket-Version': '8', 'Sec-WebSocket-Origin': 'https://evil.example' },
    426,
    'the version of WebSocket must be 13 (got 8)'
  ],
  [
    GET,
    { Origin: 'https://evil.example', 'Sec-WebSocket-Origin': page },
    403,
    'pages of https://evil.example may not connect: the operator allows origins by --allow-origin'
  ],
  [
    GET,
    { 'Sec-WebSocket-Protocol': undefined },
    400,
    'the subprotocol must be mafalda.v1 (got none)'
  ]
]

for (const [line, changes, status, sentence] of refused) {
  test(`${line} with ${JSON.stringify(changes)} is refused with ${status}`, async () => {
    const answer = await ask(await open(), line, changes)
    assert.is(answer.status, status)
    assert.is(answer.sentence, sentence)
    if (status === 426) assert.match(answer.head, '\r\nsec-websocket-version: 13\r\n')
  })
}

test('what WebSocket itself wants is wanted as well', async () => {
  const port = await open()
  for (const changes of [
    { 'Sec-WebSocket-Key': undefined },
    { 'Sec-WebSocket-Key': 'short' },
    { 'Sec-WebSocket-Protocol': 'mafalda.v1, mafalda.v1' }
  ])
    assert.is((await ask(port, GET, changes)).status, 400)
  assert.is((await ask(port, 'POST / HTTP/1.1', {})).status, 405)
})

test.run()
