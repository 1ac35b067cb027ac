// `mafalda serve`: its options.

import { Command } from 'commander'
import { delimiter } from 'node:path'
import { socketDefaults } from '../lib/socket-options.ts'
import { collectHosts } from './hosts.ts'
import { parseAddresses, parseAnnounced, parsePorts } from './network-options.ts'
import { option } from './option.ts'
import { withRegistration } from './register-options.ts'
import { withScaling } from './scale-options.ts'
import {
  byteCount,
  duration,
  fraction,
  parseAddress,
  parseFolders,
  parseLimits,
  parseOrigins,
  positiveDuration,
  positiveInteger,
  positiveSeconds,
  seconds
} from './parse.ts'

export const serveCommand = () =>
  withScaling(withRegistration(new Command('serve')))
    .description(
      "Serves this host's mediasoup, or many hosts as one: applications use it through connect('ws://host:port')."
    )
    .argument('[urls...]', "tiers to serve as one mediasoup, instead of this host's", collectHosts)
    .addOption(
      option('--listen <host:port>', 'where clients connect to')
        .default({ host: '127.0.0.1', port: 4000 }, '127.0.0.1:4000')
        .argParser(parseAddress)
    )
    .addOption(
      option(
        '--announced-address <addresses>',
        'this host\'s address for media, told to clients that listen on 0.0.0.0 or :: and announce none; or its IPv4 and its IPv6 one, divided by ","'
      ).argParser(parseAnnounced)
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
        '--turn <urls>',
        'the TURN server beside this host, divided by ",": turn:203.0.113.7:3478,turns:media-1.example:5349?transport=tcp'
      ).argParser(value => value.split(',').map(url => url.trim()))
    )
    .addOption(
      option(
        '--turn-secret <file>',
        'the secret that it shares with the TURN server (static-auth-secret of coturn), read again for each credential'
      )
    )
    .addOption(
      option('--turn-ttl <seconds>', 'how long credentials for it let in; default: 3600').argParser(
        positiveInteger
      )
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
        '--metrics',
        'answer /metrics, for Prometheus, on the port of clients: to programs of this host, and to tokens and certificates with the scope operate'
      )
    )
    .addOption(
      option(
        '--metrics-listen <host:port>',
        'where /metrics is on a port of its own, for everybody who reaches it'
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
        'where --vertical puts transports: pack fills few Workers, scatter puts each on another one; first: as pack, and hosts are filled in the order of their names'
      )
        .choices(['pack', 'scatter', 'first'])
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
    .addOption(option('--monitor', "serve the monitor's page under /monitor/, for browsers"))
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
