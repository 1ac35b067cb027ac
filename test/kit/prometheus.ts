// A real Prometheus that scrapes tiers, often, and what it says.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { findPrometheus } from '../../build/prometheus.mjs'
import { within } from './until.ts'

const STARTED_SECONDS = 60

export interface Sample {
  labels: Record<string, string>
  value: number
}

/** @param targets `host:port` of each tier, in a job called mafalda */
export async function startPrometheus(targets: string[], ruleFiles: string[] = []) {
  const folder = await mkdtemp(join(tmpdir(), 'mafalda-prometheus-'))
  const config = join(folder, 'prometheus.json') // JSON is YAML.
  await writeFile(
    config,
    JSON.stringify({
      global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '500ms' },
      rule_files: ruleFiles,
      scrape_configs: [{ job_name: 'mafalda', static_configs: [{ targets }] }]
    })
  )
  const child = spawn(
    await findPrometheus(),
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--web.listen-address=127.0.0.1:0'
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] }
  )
  const url = `http://${await within(listening(child.stderr!), STARTED_SECONDS, 'Prometheus listens')}`
  return { query, alerts, end }

  /** What an expression is now. Rejects with Prometheus' own words when it is none. */
  async function query(expression: string): Promise<Sample[]> {
    const { result } = await ask<{
      result: { metric: Record<string, string>; value: [number, string] }[]
    }>(`query?query=${encodeURIComponent(expression)}`)
    return result.map(({ metric: labels, value: [, value] }) => ({ labels, value: Number(value) }))
  }

  /** Which alerts fire, or would after a while, as `name: state`. */
  async function alerts(): Promise<string[]> {
    const { alerts } = await ask<{ alerts: { labels: { alertname: string }; state: string }[] }>(
      'alerts'
    )
    return alerts.map(({ labels, state }) => `${labels.alertname}: ${state}`)
  }

  async function ask<T>(path: string): Promise<T> {
    const response = await fetch(`${url}/api/v1/${path}`)
    const { data, error } = (await response.json()) as { data: T; error?: string }
    if (error !== undefined) throw new Error(error)
    return data
  }

  async function end() {
    const exited = once(child, 'exit')
    child.kill()
    await exited
    await rm(folder, { recursive: true })
  }
}

/** The address that the system chose. */
async function listening(stderr: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface(stderr)) {
    const [, address] = /msg="Listening on" address=(\S+)/.exec(line) ?? []
    if (address) {
      stderr.resume() // What follows is not read.
      return address
    }
  }
  throw new Error('Prometheus has ended')
}
