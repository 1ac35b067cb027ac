// Options about how many hosts there are to be: how they are written, and what they make of a cluster.

import type { Command } from 'commander'
import { randomUUID } from 'node:crypto'
import type { pino } from 'pino'
import type { Horizontal, ScaleOptions } from '../proxy/index.ts'
import { type Store, scaling } from '../registry/index.ts'
import { option } from './option.ts'
import { cores, fraction, positiveInteger, positiveSeconds, seconds, wholeNumber } from './parse.ts'

export interface ScalingOptions {
  scaleMax?: number
  scaleMin?: number
  scaleTarget?: number
  scaleSpare?: number
  /** In seconds, as the others. */
  scaleQuiet?: number
  scaleStartTimeout?: number
  scaleSettle?: number
  scaleCommand?: string
  scaleCommandTimeout: number
  scaleDrainDeadline: number
}

const LEASE_MS = 10_000

export const withScaling = (command: Command) =>
  command
    .addOption(
      option(
        '--scale-max <count>',
        'how many hosts there may be: with it, the cluster says how many it wants'
      ).argParser(positiveInteger)
    )
    .addOption(
      option('--scale-min <count>', 'how many hosts there are at least; default: 1').argParser(
        wholeNumber
      )
    )
    .addOption(
      option(
        '--scale-target <load>',
        'the part of the cores that is to be in use, above 0 and up to 1; default: 0.6'
      ).argParser(fraction)
    )
    .addOption(
      option('--scale-spare <cores>', 'cores to have beyond the need; default: 0').argParser(cores)
    )
    .addOption(
      option(
        '--scale-quiet <seconds>',
        'for how long a host must not have been needed before it is given back; default: 300'
      ).argParser(seconds)
    )
    .addOption(
      option(
        '--scale-start-timeout <seconds>',
        'how long a host may take to be there before another one is asked for; default: 300'
      ).argParser(positiveSeconds)
    )
    .addOption(
      option(
        '--scale-settle <seconds>',
        'for how long after its begin no host is asked for, because those there come in; default: 30'
      ).argParser(seconds)
    )
    .addOption(
      option(
        '--scale-command <file>',
        'a program that starts and ends hosts: it is run as FILE up 2, and FILE down URL'
      )
    )
    .addOption(
      option('--scale-command-timeout <seconds>', 'how long --scale-command may run')
        .default(60)
        .argParser(positiveSeconds)
    )
    .addOption(
      option(
        '--scale-drain-deadline <seconds>',
        'how long a host that --scale-command is to end may take to be empty'
      )
        .default(3_600)
        .argParser(positiveSeconds)
    )

/** What `horizontal` takes; undefined when it is not to say how many hosts it wants. */
export function scaleOf(options: ScalingOptions): Partial<ScaleOptions> | undefined {
  const { scaleMax: max, scaleMin: min, scaleTarget: target, scaleSpare: spare } = options
  const { scaleQuiet, scaleStartTimeout, scaleSettle, scaleCommand } = options
  const ms = [scaleQuiet, scaleStartTimeout, scaleSettle].map(each => each && each * 1_000)
  const [quiet, startTimeout, settle] = ms
  if (max !== undefined) return { max, min, target, spare, quiet, startTimeout, settle }
  const others = [min, target, spare, ...ms, scaleCommand]
  if (others.some(each => each !== undefined))
    throw new Error('options about the number of hosts need --scale-max: how many there may be')
  return undefined
}

/** What is beside a cluster that scales: routes, and what runs the command. */
export function scalingOf(
  cluster: Horizontal,
  options: ScalingOptions,
  { store, logger }: { store: Store; logger: pino.Logger }
) {
  if (options.scaleMax === undefined) return undefined
  const { scaleCommand, scaleCommandTimeout, scaleDrainDeadline } = options
  cluster.on('wanted', wanted => logger.info(wanted, 'hosts are wanted'))
  return scaling({
    cluster,
    log: logger,
    command:
      scaleCommand === undefined
        ? undefined
        : {
            file: scaleCommand,
            timeout: scaleCommandTimeout * 1_000,
            drainDeadline: scaleDrainDeadline * 1_000,
            store,
            registry: randomUUID(),
            lease: LEASE_MS
          }
  })
}
