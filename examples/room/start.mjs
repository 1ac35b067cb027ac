// What `npm start` runs: a leaf, which is a mediasoup of its own process with a WebSocket in front, and the room's
// application server, which uses that mediasoup as if it were its own. Elsewhere the leaf runs on another machine.
// @ts-check

import { spawn } from 'node:child_process'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { connect } from 'mafalda/client'

const PINO_WARN = 40
const LEAF_GRACE_MS = 5000

/** @type {import('node:child_process').ChildProcess | undefined} */
let leaf
/** @type {Awaited<ReturnType<typeof connect>> | undefined} */
let mediasoup
/** @type {import('./server.ts').RoomServer | undefined} */
let server
let ending = false

async function main() {
  if (!process.features.typescript) {
    throw new Error(`Node must be 22.18 or newer to run TypeScript as it is (got ${process.versions.node}): npm start finds one.`)
  }
  const { startRoom } = await import('./server.ts')
  const { port, host, announcedAddress } = settings()
  const { address: ip } = await lookup(host)
  const lanAddress = announcedAddress ?? (isUnspecified(ip) ? firstLanAddress() : undefined)

  const leafUrl = await startLeaf()
  mediasoup = await connect(leafUrl)
  server = await startRoom({
    mediasoup,
    carrier: new URL(leafUrl).host,
    host,
    port,
    listenInfos: [
      { protocol: 'udp', ip, announcedAddress: lanAddress },
      { protocol: 'tcp', ip, announcedAddress: lanAddress }
    ]
  }).catch((error) => { throw explained(error, host, port) })

  console.log(`
  The room     ${isUnspecified(ip) ? `http://localhost:${port}/` : server.url}
  Its leaf     ${leafUrl}   (mediasoup in a process of its own)

  Open the page in two tabs. Ctrl-C ends everything.`)
  if (!isLoopback(ip)) {
    console.log(`
  Others join at http://${lanAddress ?? host}:${port}/
  A browser opens camera and microphone only on https or localhost: on plain http they join as viewers.`)
  }
}

/** From the command line, else from the environment. */
function settings() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: process.env.PORT ?? '3000' },
      host: { type: 'string', default: process.env.HOST ?? '127.0.0.1' },
      'announced-address': { type: 'string', default: process.env.ANNOUNCED_ADDRESS }
    }
  })
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new Error(`--port must be a number from 1 to 65535 (got ${values.port}).`)
  }
  return { port, host: values.host, announcedAddress: values['announced-address'] }
}

/** Starts the leaf, and resolves with its URL. */
async function startLeaf() {
  const mafalda = fileURLToPath(new URL('../../dist/mafalda.js', import.meta.url))
  leaf = spawn(process.execPath, [mafalda, 'serve', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  leaf.once('exit', (code, signal) => {
    end(1, `The leaf has ended (${signal ?? `exit code ${code}`}), and the room with it.`)
  })
  return new Promise((resolve, reject) => {
    leaf?.once('error', reject)
    createInterface({ input: /** @type {import('node:stream').Readable} */ (leaf?.stdout) }).on('line', (line) => {
      const { msg, url, level } = parseLog(line)
      if (msg === 'listening' && url) resolve(url)
      else if (level >= PINO_WARN) console.error(`leaf: ${msg}`)
    })
  })
}

/** @param {string} line */
function parseLog(line) {
  try {
    return JSON.parse(line)
  } catch {
    return { level: PINO_WARN, msg: line }
  }
}

/** Closes the room, its connection, its leaf. @param {number} code @param {string} [sentence] */
async function end(code, sentence) {
  if (ending) return
  ending = true
  if (sentence) console.error(sentence)
  await server?.close()
  mediasoup?.close()
  if (leaf?.pid && leaf.exitCode === null && leaf.signalCode === null) {
    const impatience = setTimeout(() => leaf?.kill('SIGKILL'), LEAF_GRACE_MS)
    leaf.kill('SIGTERM')
    await once(leaf, 'exit')
    clearTimeout(impatience)
  }
  process.exit(code)
}

/** @param {NodeJS.ErrnoException} error @param {string} host @param {number} port */
function explained(error, host, port) {
  if (error.code !== 'EADDRINUSE') return error
  return new Error(`Port ${port} of ${host} is taken: choose another one with --port.`)
}

/** @param {string} ip */
const isUnspecified = (ip) => ip === '0.0.0.0' || ip === '::'

/** @param {string} ip */
const isLoopback = (ip) => ip === '::1' || ip.startsWith('127.')

function firstLanAddress() {
  const addresses = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => end(0))
main().catch((error) => end(1, error.message))
