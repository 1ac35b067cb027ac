// What `npm start` runs: two hosts, each a mediasoup in a process of its own; an aggregated tier
// over them, which makes one mediasoup of the two; and the room's application server, which uses
// that as if it were its own. Elsewhere the hosts are machines.
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
const GRACE_MS = 5000
const TELL_AFTER_MS = 200
// The complaint of a Worker that is closed: nobody reads its last logs.
const LAST_WORDS = /UnixStreamSocketHandle::.*broken pipe/
const MAFALDA = fileURLToPath(new URL('../../dist/mafalda.js', import.meta.url))
const HOSTS = ['host-a', 'host-b']
// `scatter` takes another Worker for each transport, so a room of two spans the hosts already. (The
// default, `pack`, would keep it on one Worker.) The number is odd because everybody has two
// transports: with an even one, all would send to the same host.
const AS_ONE = ['--vertical', '--policy', 'scatter', '--max-workers', '3', '--monitor']

/**
 * @typedef {{ name: string, url: string, node: string, process:
 * import('node:child_process').ChildProcess }} Tier
 */

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set()
/** @type {Awaited<ReturnType<typeof connect>> | undefined} */
let mediasoup
/** @type {import('./server.ts').RoomServer | undefined} */
let server
let ending = false

async function main() {
  if (!process.features.typescript) {
    throw new Error(
      `Node must be 22.18 or newer to run TypeScript as it is (got ${process.versions.node}): npm start finds one.`
    )
  }
  const { port, host, announcedAddress } = settings()
  const { address: ip } = await lookup(host)
  const lanAddress = announcedAddress ?? (isUnspecified(ip) ? firstLanAddress() : undefined)

  const [{ startRoom }, ...hosts] = await Promise.all([
    import('./server.ts'),
    ...HOSTS.map(name => startTier(name))
  ])
  const aggregator = await startTier('the aggregated tier', [
    ...AS_ONE,
    ...hosts.map(({ url }) => url)
  ])
  watch(hosts, aggregator)

  const { connection } = (mediasoup = await connect(aggregator.url))
  server = await startRoom({
    mediasoup,
    host,
    port,
    listenInfos: [
      { protocol: 'udp', ip, announcedAddress: lanAddress },
      { protocol: 'tcp', ip, announcedAddress: lanAddress }
    ],
    async locate(transport) {
      const { node, pid } = await connection.locate(transport)
      return { host: hosts.find(host => host.node === node)?.name ?? node, workerPid: pid }
    }
  }).catch(error => {
    throw explained(error, host, port)
  })

  console.log(`
  The room     ${isUnspecified(ip) ? `http://localhost:${port}/` : server.url}
  Its hosts    ${hosts.map(({ name, url }) => `${name}  ${url}`).join(`\n${' '.repeat(15)}`)}
  As one       ${aggregator.url}
  Its monitor  ${aggregator.url.replace('ws:', 'http:')}/monitor/

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

/**
 * Starts `mafalda serve`, and resolves when it listens.
 *
 * @param {string} name @param {string[]} args
 * @returns {Promise<Tier>}
 */
function startTier(name, args = []) {
  const child = spawn(process.execPath, [MAFALDA, 'serve', '--listen', '127.0.0.1:0', ...args], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) =>
      reject(
        new Error(`${name} has ended before it could listen (${signal ?? `exit code ${code}`}).`)
      )
    )
    createInterface({ input: child.stdout }).on('line', line => {
      const { msg, url, node, level, reason } = parseLog(line)
      if (msg === 'listening') resolve({ name, url, node, process: child })
      else if (level >= PINO_WARN && !LAST_WORDS.test(msg))
        tell(`${name}: ${reason ? `${msg}: ${reason}` : msg}`)
    })
  })
}

/** @param {Tier[]} hosts @param {Tier} aggregator */
function watch(hosts, aggregator) {
  aggregator.process.once('exit', (code, signal) => {
    end(
      1,
      `The aggregated tier has ended (${signal ?? `exit code ${code}`}), and the room with it.`
    )
  })
  const alive = new Set(hosts)
  for (const host of hosts) {
    host.process.once('exit', () => {
      alive.delete(host)
      const [other] = alive
      if (!other) end(1, `${host.name} has ended, too, and the room with it.`)
      else tell(`${host.name} has ended. The room goes on with ${other.name}.`)
    })
  }
}

/**
 * Prints a sentence, unless everything ends: Ctrl-C reaches every process, and some end before this
 * one.
 *
 * @param {string} sentence
 */
function tell(sentence) {
  setTimeout(() => {
    if (!ending) console.error(sentence)
  }, TELL_AFTER_MS)
}

/** @param {string} line */
function parseLog(line) {
  try {
    return JSON.parse(line)
  } catch {
    return { level: PINO_WARN, msg: line }
  }
}

/**
 * Closes the room, its connection, and all processes. @param {number} code @param {string}
 * [sentence]
 */
async function end(code, sentence) {
  if (ending) return
  ending = true
  if (sentence) console.error(sentence)
  await server?.close()
  mediasoup?.close()
  await Promise.all(Array.from(children, stop))
  process.exit(code)
}

/** @param {import('node:child_process').ChildProcess} child */
async function stop(child) {
  const impatience = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
  if (child.kill('SIGTERM')) await once(child, 'exit')
  clearTimeout(impatience)
}

/** @param {NodeJS.ErrnoException} error @param {string} host @param {number} port */
function explained(error, host, port) {
  if (error.code !== 'EADDRINUSE') return error
  return new Error(`Port ${port} of ${host} is taken: choose another one with --port.`)
}

/** @param {string} ip */
const isUnspecified = ip => ip === '0.0.0.0' || ip === '::'

/** @param {string} ip */
const isLoopback = ip => ip === '::1' || ip.startsWith('127.')

function firstLanAddress() {
  const addresses = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
  process.on(signal, () => end(0))
main().catch(error => end(1, error.message))
