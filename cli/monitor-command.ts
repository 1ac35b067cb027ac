// `mafalda monitor`: its options.

import { Command } from 'commander'
import { option } from './option.ts'
import { collectUrls, parseAddress, parseOrigins } from './parse.ts'

export const monitorCommand = () =>
  new Command('monitor')
    .description('Serves a page that shows a tree of tiers live: open it in a browser.')
    .argument('<urls...>', 'the tier; several are proxies over the same tiers', collectUrls)
    .addOption(
      option('--listen <host:port>', 'where the page is')
        .default({ host: '127.0.0.1', port: 4200 }, '127.0.0.1:4200')
        .argParser(parseAddress)
    )
    .addOption(
      option(
        '--allow-origin <origins>',
        'origins (https://ops.example, divided by ",") where browsers find the page, if it is reached by a name'
      )
        .default([], 'none')
        .argParser(parseOrigins)
    )
    .addOption(
      option('--insecure', 'let other hosts connect: whoever reaches the page may operate the tier')
    )
    .addOption(option('--ca <file>', 'authorities of the tier; default: those of Node.js'))
    .addOption(option('--cert <file>', 'a certificate for the tier'))
    .addOption(option('--key <file>', 'the private key of --cert'))
    .addOption(option('--token <file>', 'a token for the tier, whose scope includes "operate"'))
    .addHelpText(
      'after',
      `
Examples:
  mafalda monitor ws://entry:4100
  mafalda monitor wss://entry:4100 --ca entry-ca.crt --token operator.jwt

The certificate and the token stay here: the browser never has them. Whoever reaches the page may do what they allow, which is
why it is on the loopback. mafalda serve --monitor serves the page on a tier, where each browser shows a token of its own.`
    )
    .action(async (urls, options) => (await import('./monitor.ts')).monitor(urls, options))
