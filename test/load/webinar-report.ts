// What filling a webinar has come to, for people.

import type { WebinarOptions, WebinarOutcome } from './webinar.ts'

const seconds = (us: number) => (us / 1e6).toFixed(1)

export function webinarLines(options: WebinarOptions, outcome: WebinarOutcome): string[] {
  const {
    joins,
    failures,
    joinSeconds,
    receiveSeconds,
    consumers,
    spread,
    received,
    lost,
    silent,
    cpu
  } = outcome
  const perMillion = Math.round((lost / Math.max(1, received + lost)) * 1e6)
  return [
    `joined: ${joins.count} of ${options.seats}, p50 ${seconds(joins.p50)} s, p99 ${seconds(joins.p99)} s, all in ${joinSeconds.toFixed(1)} s, and received from all ${receiveSeconds.toFixed(1)} s later`,
    ...new Set(failures.map(why => `not joined: ${why}`)),
    `Consumers: ${consumers}, ${Math.round(consumers / joinSeconds)} a second`,
    ...Object.entries(spread).map(
      ([leaf, { consumers, files }]) =>
        `${leaf}: ${consumers} Consumers with pipes; sockets and files of its Workers: ${files.join(', ')}`
    ),
    `RTP: ${received} packets received, ${lost} lost (${perMillion} in a million), ${silent} Consumers without any`,
    ...(['joining', 'watching'] as const).map(
      phase =>
        `cores while ${phase}: ${Object.entries(cpu[phase])
          .map(([name, cores]) => `${name} ${cores.toFixed(2)}`)
          .join(', ')}`
    )
  ]
}
