// The metrics of a tier as Prometheus reads them.
//
// By prom-client, which writes the format, and has the metrics of Node.js and of the process that
// dashboards know.

import { type Metric, Registry, collectDefaultMetrics } from 'prom-client'
import { type Reading, rows } from './table.ts'

export const CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

let ofProcess: Registry | undefined

// What watches the process cannot be taken away again: one for all servers.
function processRegistry() {
  if (!ofProcess) collectDefaultMetrics({ register: (ofProcess = new Registry()) })
  return ofProcess
}

/** Answers what reads the metrics of one server. Those who ask at the same time get the same. */
export function metricsText(read: () => Promise<Reading>): () => Promise<string> {
  const registry = new Registry()
  let reading: Reading
  for (const { name, help, type, values } of rows) {
    const metric = {
      name,
      help,
      type,
      get: async () => ({ name, help, type, values: values(reading) })
    }
    // What a registry asks of a metric: ours are counted elsewhere.
    registry.registerMetric(metric as unknown as Metric)
  }
  let text: Promise<string> | undefined
  return () => (text ??= write().finally(() => (text = undefined)))

  async function write() {
    reading = await read()
    const texts = await Promise.all([registry.metrics(), processRegistry().metrics()])
    return texts.join('\n')
  }
}
