// Arguments and environment of the `mafalda` command. Exit codes: 0 done, 1 failed, 2 wrong usage,
// 3 a release differs.

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { delimiter } from 'node:path'
import { MAX_DURATION } from '../lib/duration.ts'
import { version } from '../lib/version.ts'
import type { Address } from './address.ts'
import { socketDefaults } from '../lib/socket-options.ts'
import { parseAddresses, parsePorts } from './network-options.ts'

const WRONG_USAGE = 2

export async function main(argv: string[]) {
  const program = new Command('mafalda')
    .description("Makes many mediasoup machines behave as one, behind mediasoup's own API.")
    .version(version)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
  program.addCommand(serveCommand())
  program.addCommand(drainCommand())
  program.addCommand(sessionsCommand())
  program.addCommand(kickCommand())
  program.addCommand(conformanceCommand())
  program.commands
    .flatMap(command => [command, ...command.commands])
    .forEach(command => command.exitOverride())
  try {
    checkSwitches(program)
    await program.parseAsync(argv)
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      console.error(`mafalda: ${error instanceof Error ? error.message : error}`)
      process.exitCode = 1
    } else if (error.exitCode !== 0) {
      process.exitCode = WRONG_USAGE
    }
  }
}

const serveCommand = () =>
  new Command('serve')
    .description(
      "Serves this host's mediasoup, or many hosts as one: applications use it through connect('ws://host:port')."
    )
    .argument('[urls...]', "tiers to serve as one mediasoup, instead of this host's", collectUrls)
    .addOption(
      option('--listen <host:port>', 'where clients connect to')
        .default({ host: '127.0.0.1', port: 4000 }, '127.0.0.1:4000')
        .argParser(parseAddress)
    )
    .addOption(
      option(
        '--announced-address <address>',
        "this host's address for media, told to clients that listen on 0.0.0.0 or :: and announce none"
      )
    )
    .addOption(
      option(
        '--pipe-address <address>',
        "this host's address for pipes from other hosts; default: the announced one if an interface has it, else that of --listen, or of an interface"
      )
    )
    .addOption(
      option(
        '--announce <when>',
        'always: what applications announce, or listen on, that is no address of this host, becomes one of its own'
      )
        .choices(['when-missing', 'always'])
        .default('when-missing')
    )
    .addOption(
      option('--rtc-ports <min-max>', 'the ports that clients may use; default: all').argParser(
        parsePorts
      )
    )
    .addOption(
      option(
        '--allow-listen <addresses>',
        'where clients may listen: addresses and networks, divided by ",", or local; default: local if --listen is reached from public networks, else anywhere'
      ).argParser(parseAddresses)
    )
    .addOption(
      option(
        '--deny-peer <addresses>',
        'where transports of clients must not send: addresses and networks, non-public or none; default: non-public if --listen is reached from public networks, else none'
      ).argParser(parseAddresses)
    )
    .addOption(
      option('--allow-peer <addresses>', 'exceptions from --deny-peer').argParser(parseAddresses)
    )
    .addOption(
      option(
        '--allow-files <folders>',
        `folders (divided by "${delimiter}") in which clients may name DTLS certificates`
      )
        .default([], 'none')
        .argParser(parseFolders)
    )
    .addOption(option('--tls-cert <file>', 'its certificate, PEM: clients connect to wss://'))
    .addOption(option('--tls-key <file>', 'the private key of --tls-cert'))
    .addOption(
      option(
        '--tls-ca <file>',
        'authorities of client certificates: whoever connects must have one'
      )
    )
    .addOption(
      option(
        '--tls-crl <file>',
        'lists of the client certificates that are revoked, PEM: one of each authority in --tls-ca'
      )
    )
    .addOption(
      option(
        '--client-scopes <file>',
        'what client certificates allow, JSON: {"pattern of subjects": {"scope": "observe create"}}; default: everything'
      )
    )
    .addOption(
      option('--ca <file>', 'authorities of the tiers at the URLs; default: those of Node.js')
    )
    .addOption(option('--cert <file>', 'its certificate for the tiers at the URLs'))
    .addOption(option('--key <file>', 'the private key of --cert'))
    .addOption(
      option(
        '--token-keys <file>',
        'public keys of whoever issues tokens, JWKS or PEM: whoever connects must have a token'
      )
    )
    .addOption(
      option(
        '--token-secret <file>',
        'the secret shared with whoever issues tokens, instead of --token-keys'
      )
    )
    .addOption(option('--token-audience <audience>', 'what tokens must be for'))
    .addOption(
      option(
        '--token-issuer <issuer>',
        'who must have issued tokens; default: anybody who has the key'
      )
    )
    .addOption(
      option(
        '--token-grace <ms>',
        'how long a session lives on when its token has expired, to be renewed; default: 30000'
      ).argParser(duration)
    )
    .addOption(
      option(
        '--token-max-life <seconds>',
        'the longest that tokens may be valid, from when they were issued; default: 86400'
      ).argParser(positiveInteger)
    )
    .addOption(option('--token-require-sub', 'refuse tokens without a subject'))
    .addOption(
      option(
        '--token-deny <file>',
        'who is not let in any more: lines like "sub alice" and "jti 4711"; open sessions end'
      )
    )
    .addOption(
      option(
        '--max-session-age <seconds>',
        'how long a session may be open; default: any time'
      ).argParser(positiveSeconds)
    )
    .addOption(
      option(
        '--token <file>',
        'its token for the tiers at the URLs; read again at each connect, and before it expires'
      )
    )
    .addOption(
      option(
        '--allow-origin <origins>',
        'origins of pages (https://app.example, divided by ",") from which browsers may connect, or *'
      )
        .default([], 'none')
        .argParser(parseOrigins)
    )
    .addOption(
      option(
        '--trust-proxy <networks>',
        'addresses of balancers (10.0.0.7 or 10.0.0.0/8, divided by ",") that say for whom they connect, in X-Forwarded-For'
      )
        .default([], 'none')
        .argParser(value => value.split(',').map(network => network.trim()))
    )
    .addOption(
      option(
        '--proxy-protocol',
        'those of --trust-proxy begin each connection with a header of the PROXY protocol, version 1 or 2'
      )
    )
    .addOption(
      option('--insecure', 'let other hosts connect although nobody is asked who they are')
    )
    .addOption(
      option(
        '--limits <limits>',
        'what sessions may ask for, and how many there may be: sessions=100,rate=500,workers=4,…'
      )
        .default({}, 'in docs/security.md')
        .argParser(parseLimits)
    )
    .addOption(
      option('--grace <ms>', 'how long a session outlives its connection')
        .default(30_000)
        .argParser(duration)
    )
    .addOption(
      option('--silence <ms>', 'a peer that says nothing for so long is lost')
        .default(socketDefaults.silence)
        .argParser(positiveDuration)
    )
    .addOption(
      option('--max-payload <bytes>', 'the largest message')
        .default(socketDefaults.maxPayload)
        .argParser(positiveInteger)
    )
    .addOption(
      option(
        '--max-backlog <bytes>',
        'how much may wait for a peer that reads too slowly, before it is cut'
      )
        .default(socketDefaults.maxBacklog)
        .argParser(positiveInteger)
    )
    .addOption(
      option(
        '--timeout <ms>',
        'how long the tiers at the URLs may take to connect (default: 10000), and to answer (default: 30000)'
      ).argParser(positiveDuration)
    )
    .addOption(
      option(
        '--patience <ms>',
        'how long a session may wait for the first of the tiers at the URLs to be up'
      )
        .default(5_000)
        .argParser(duration)
    )
    .addOption(
      option(
        '--mixed-versions',
        'let the tiers at the URLs have different versions of mediasoup, as long as all describe its API alike'
      )
    )
    .addOption(
      option(
        '--max-memory <bytes>',
        'what all sessions together may keep, for peers that do not take it and with their objects, such as 512M; above it, the session that keeps most ends; default: a quarter of the heap or of the memory, whichever is less'
      ).argParser(byteCount)
    )
    .addOption(
      option(
        '--health-listen <host:port>',
        'where /healthz and /readyz are, instead of the port of clients'
      ).argParser(parseAddress)
    )
    .addOption(
      option(
        '--audit-log <file>',
        'who came in, was refused, and left, as JSON lines, or - for stdout; opened again on SIGHUP'
      )
    )
    .addOption(
      option('--log-level <level>', 'what is logged')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
    )
    .addOption(
      option(
        '--vertical',
        'let Workers and their Routers span the Workers of the host, or of the hosts'
      )
    )
    .addOption(
      option(
        '--policy <policy>',
        'where --vertical puts transports: pack fills few Workers, scatter puts each on another one'
      )
        .choices(['pack', 'scatter'])
        .default('pack')
    )
    .addOption(
      option(
        '--watermark <load>',
        'the load of a Worker, above 0 and up to 1, at which --vertical takes the next one'
      )
        .default(0.6)
        .argParser(fraction)
    )
    .addOption(
      option(
        '--linger <ms>',
        'how long what nobody uses stays: a pipe of --vertical, a Worker of --share-workers'
      )
        .default(5_000)
        .argParser(duration)
    )
    .addOption(
      option(
        '--max-workers <count>',
        'how many Workers there may be: on this host over all sessions, by default as many as they ask for; with URLs, how many one of an application may span, by default as many as there are cores'
      ).argParser(positiveInteger)
    )
    .addOption(
      option(
        '--pool-size <count>',
        'how many Workers the sessions of --share-workers share, at most and by default one per core; one session that asks for more by itself gets them'
      ).argParser(positiveInteger)
    )
    .addOption(
      option(
        '--share-workers',
        "let the Workers of all sessions be shares of this host's, so that applications do not fight for cores"
      )
    )
    .addOption(
      option(
        '--drain-deadline <seconds>',
        "how long SIGTERM lets the sessions on this host's mediasoup move elsewhere before it ends; 0 to close them at once"
      )
        .default(0)
        .argParser(seconds)
    )
    .option('--openrpc', 'print the OpenRPC document of the protocol, and exit')
    .addHelpText(
      'after',
      `
Examples:
  mafalda serve
  mafalda serve --listen 10.0.0.7:4000 --announced-address 203.0.113.7 --insecure
  mafalda serve --share-workers --max-workers 16
  mafalda serve --listen 127.0.0.1:4100 ws://media-1:4000 ws://media-2:4000
  mafalda serve --listen 127.0.0.1:4100 --vertical ws://media-1:4000 ws://media-2:4000
  mafalda serve --listen 0.0.0.0:4000 --tls-cert leaf.crt --tls-key leaf.key --tls-ca tiers.crt
  mafalda serve --listen 127.0.0.1:4100 --ca leaves.crt --cert tier.crt --key tier.key wss://media-1:4000
  mafalda serve --listen 0.0.0.0:4000 --tls-cert leaf.crt --tls-key leaf.key --token-keys jwks.json --token-audience media
  MAFALDA_LISTEN=[::1]:4000 mafalda serve
  mafalda serve --openrpc > openrpc.json

The worker is the one that MEDIASOUP_WORKER_BIN names, or else is found, downloaded or built.
Logs are JSON lines: mafalda serve | pino-pretty reads them to you. SIGTERM and SIGINT close all sessions; a second one forces. With
--drain-deadline, SIGTERM drains first; a second signal closes them at once, and a third one forces.
Certificates, keys and tokens are files, which are read again when they change, and on SIGHUP.`
    )
    .action(async (urls, options) => (await import('./serve.ts')).serveTier(urls, options))

const drainCommand = () =>
  new Command('drain')
    .description(
      'Lets the host at a URL end once it is empty: it takes no new Workers and Routers, and applications are told to move.'
    )
    .argument('<url>', "the host's own URL", parseUrl)
    .addOption(
      option(
        '--deadline <seconds>',
        'when it ends, whatever is on it; default: as it was told before, or else not before it is empty'
      ).argParser(seconds)
    )
    .option('--cancel', 'let it go on')
    .addOption(option('--ca <file>', 'authorities of the host; default: those of Node.js'))
    .addOption(option('--cert <file>', 'a certificate for the host'))
    .addOption(option('--key <file>', 'the private key of --cert'))
    .addOption(option('--token <file>', 'a token for the host, whose scope includes "operate"'))
    .addHelpText(
      'after',
      `
Examples:
  mafalda drain ws://media-1:4000 --deadline 600
  mafalda drain ws://media-1:4000 --cancel

Prints what is left until the host has ended. Ctrl-C ends only the command, and not the drain; --cancel does, and the command
again, without a deadline, shows how far it is. Exits with 1 when the drain was cancelled, or the host lost before it was over.`
    )
    .action(async (url, options) => (await import('./drain.ts')).drain(url, options))

const sessionsCommand = () =>
  withAccess(
    new Command('sessions')
      .description('Prints the sessions on the tier at a URL: whose, from where, for how long.')
      .argument('<url>', "the tier's own URL", parseUrl)
      .addOption(jsonOption())
  ).action(async (url, options) => (await import('./sessions.ts')).sessions(url, options))

const kickCommand = () =>
  withAccess(
    new Command('kick')
      .description(
        'Ends the sessions of a subject on the tier at a URL, with all that they have. To keep out the subject, use --token-deny of the tier.'
      )
      .argument('<url>', "the tier's own URL", parseUrl)
      .argument('[subject]', 'whose sessions')
      .option('--session <id>', 'only the session with this id of `mafalda sessions`')
  ).action(async (url, subject, options) =>
    (await import('./sessions.ts')).kick(url, subject, options)
  )

const withAccess = (command: Command) =>
  command
    .addOption(option('--ca <file>', 'authorities of the tier; default: those of Node.js'))
    .addOption(option('--cert <file>', 'a certificate for the tier'))
    .addOption(option('--key <file>', 'the private key of --cert'))
    .addOption(option('--token <file>', 'a token for the tier, whose scope includes "operate"'))

const conformanceCommand = () =>
  new Command('conformance')
    .description(
      "Replays mediasoup's own tests against tiers: those at the URLs, or else one of each sort."
    )
    .argument('[urls...]', 'tiers that are already up', collectUrls)
    .addOption(
      option(
        '--tiers <names>',
        'those of our own to test, like leaf,aggregated; default: all, or none with URLs'
      ).argParser(value => value.split(','))
    )
    .addOption(
      option(
        '--files <names>',
        'parts of names of test files, like Worker,Router, to replay only those'
      ).argParser(value => value.split(','))
    )
    .addOption(
      option(
        '--cut <seconds>',
        'put relays between all tiers and their clients, and break each connection when it is about so old'
      ).argParser(positiveSeconds)
    )
    .addOption(releaseOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  mafalda conformance
  mafalda conformance ws://host:4000
  mafalda conformance --mediasoup 3.27.0
  mafalda conformance --tiers leaf,aggregated --cut 2
  mafalda conformance drift --mediasoup 3.26.0
  mafalda conformance watch --seen seen.json

Exits with 1 when a test that passes on plain mediasoup does not pass on a tier, and no declared deviation says why.`
    )
    .action(async (urls, options) => (await import('./conformance.ts')).conform(urls, options))
    .addCommand(
      new Command('drift')
        .description(
          'Compares a release of mediasoup with the model of its API, and names every difference. Exits with 1 when there is one.'
        )
        .addOption(releaseOption())
        .addOption(jsonOption())
        .action(async (_, command) =>
          (await import('./conformance.ts')).compare(command.optsWithGlobals())
        )
    )
    .addCommand(
      new Command('watch')
        .description(
          'Looks for a new release of mediasoup, compares it with the model, replays its tests on tiers, and prints a report as Markdown.'
        )
        .addOption(
          option(
            '--registry <url>',
            'where releases are looked up, and installed from; default: the registry that npm is set to'
          ).argParser(parseRegistry)
        )
        .addOption(
          option(
            '--seen <file>',
            "which releases were seen, so that each is reported once; default: in Mafalda's cache"
          )
        )
        .addOption(
          option(
            '--worker-bin <file>',
            'a mediasoup-worker of the release; default: one is found, downloaded or built'
          )
        )
        .addHelpText(
          'after',
          `
Exits with 0 when there is no new release, or it does not differ; with 3 when it differs, or cannot be used; and with 1 when
it could not be looked up.`
        )
        .action(async (_, command) =>
          (await import('./conformance.ts')).watch(command.optsWithGlobals())
        )
    )

const releaseOption = () =>
  option(
    '--mediasoup <version>',
    'a release to install in a folder of its own, or the folder of one, instead of the one installed'
  )
const jsonOption = () => option('--json', 'print the result as JSON')

/** Every option is also an environment variable: `--max-payload`, MAFALDA_MAX_PAYLOAD. */
function option(flags: string, description: string): Option {
  const option = new Option(flags, description)
  return option.env(`MAFALDA_${option.long!.slice(2).toUpperCase().replaceAll('-', '_')}`)
}

const ON = ['true', '1', 'yes', 'on']
const OFF = ['false', '0', 'no', 'off', '']

/** An option without a value is on when its variable says so, and not because there is one. */
function checkSwitches(command: Command) {
  for (const option of command.options) {
    const { envVar: variable = '' } = option
    const value = option.isBoolean() ? process.env[variable] : undefined
    if (value === undefined || ON.includes(value.toLowerCase())) continue
    if (!OFF.includes(value.toLowerCase()))
      command.error(`error: ${variable} must be true or false (got ${value})`)
    delete process.env[variable]
  }
  command.commands.forEach(checkSwitches)
}

function parseAddress(value: string): Address {
  const [, host, port] = /^(?:(\[[^\]]+\]|[^:]*):)?(\d+)$/.exec(value) ?? []
  if (port === undefined || Number(port) > 65535) {
    throw new InvalidArgumentError(
      'It must be HOST:PORT with a port from 0 to 65535, for example 0.0.0.0:4000 or [::1]:4000.'
    )
  }
  return { host: (host || '127.0.0.1').replace(/^\[|\]$/g, ''), port: Number(port) }
}

function collectUrls(value: string, others: string[] = []): string[] {
  const url = parseUrl(value)
  const isThere = others.some(other => new URL(other).href === new URL(url).href)
  if (isThere) throw new InvalidArgumentError('Each URL is given once.')
  return [...others, url]
}

const UNITS = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

function byteCount(value: string): number {
  const [, number, unit] = /^(\d+)([KMG]?)$/i.exec(value) ?? []
  const bytes = Number(number) * UNITS[unit?.toUpperCase() as keyof typeof UNITS]
  if (!Number.isSafeInteger(bytes) || bytes <= 0)
    throw new InvalidArgumentError(
      'It must be a positive whole number of bytes, for example 512M or 2G.'
    )
  return bytes
}

function parseUrl(value: string): string {
  if (!URL.canParse(value) || !/^wss?:$/.test(new URL(value).protocol))
    throw new InvalidArgumentError('It must be like ws://host:port or wss://host:port.')
  return value
}

function parseRegistry(value: string): string {
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol))
    throw new InvalidArgumentError('It must be like https://registry.example.')
  return value
}

const parseFolders = (value: string): string[] => value.split(delimiter).filter(Boolean)

function parseOrigins(value: string): string[] {
  const origins = value.split(',').map(origin => origin.trim())
  const wrong = origins.find(
    origin => origin !== '*' && !(URL.canParse(origin) && new URL(origin).origin === origin)
  )
  if (wrong !== undefined)
    throw new InvalidArgumentError(
      `An origin is like https://app.example, without a path ("${wrong}" is not).`
    )
  return origins
}

function parseLimits(value: string): Record<string, number> {
  const limits: Record<string, number> = {}
  for (const [, name, number, rest] of value
    .split(',')
    .map(limit => /^(\w+)=(\d+)$|(.*)/.exec(limit)!)) {
    if (name === undefined)
      throw new InvalidArgumentError(`Limits are like rate=500,workers=4 ("${rest}" is not).`)
    limits[name] = Number(number)
  }
  return limits
}

const MAX_SECONDS = Math.floor(MAX_DURATION / 1_000)
const DAYS = 'which is 24.8 days'

const duration = (value: string): number => integerIn(value, 0, MAX_DURATION, `ms, ${DAYS}`)
const positiveDuration = (value: string): number => integerIn(value, 1, MAX_DURATION, `ms, ${DAYS}`)
const seconds = (value: string): number => integerIn(value, 0, MAX_SECONDS, `seconds, ${DAYS}`)

function integerIn(value: string, least: number, most: number, unit: string): number {
  const number = /^\d+$/.test(value) ? Number(value) : NaN
  if (number >= least && number <= most) return number
  throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most} ${unit}.`)
}

function positiveSeconds(value: string): number {
  const number = Number(value)
  if (number > 0 && number <= MAX_SECONDS) return number
  throw new InvalidArgumentError(`It must be above 0 and at most ${MAX_SECONDS} seconds, ${DAYS}.`)
}

function fraction(value: string): number {
  const number = Number(value)
  if (number > 0 && number <= 1) return number
  throw new InvalidArgumentError('It must be above 0 and at most 1.')
}

function positiveInteger(value: string): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number <= 0)
    throw new InvalidArgumentError('It must be a positive whole number.')
  return number
}
