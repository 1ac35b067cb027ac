// What the numbers of an entry were lately, with axes.

/// <reference lib="dom" />
import { useEffect, useRef } from 'preact/hooks'
import UPlot from 'uplot'
import { bits, clock, count, percent } from './format.ts'
import type { Curve, Series } from './history.ts'

const HEIGHT = 132
const FORMATS = { share: percent, bits, count, ms: String }

export interface ChartProps {
  curve: Curve
  series: Series[]
  label: string
}

export function Chart({ curve, series, label }: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot>(undefined)
  const names = series.map(each => each.label).join()
  useEffect(() => {
    const element = place.current!
    const make = () => {
      plot.current?.destroy()
      plot.current = new UPlot(optionsOf(series, element), [[], ...series.map(() => [])], element)
    }
    make()
    const measure = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT })
    )
    measure.observe(element)
    // The colours are those of the page, which the system may change.
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    scheme.addEventListener('change', make)
    return () => {
      measure.disconnect()
      scheme.removeEventListener('change', make)
      plot.current?.destroy()
    }
  }, [names])
  const latest = series.map(({ label, unit }, i) => {
    const value = curve.values[i]?.at(-1)
    return `${label} ${value === undefined ? 'not known' : FORMATS[unit](value)}`
  })
  const { times, values } = curve
  useEffect(() => {
    const columns = values.map(column => column.map(value => value ?? null))
    plot.current?.setData([times.map(at => at / 1000), ...columns] as UPlot.AlignedData)
  }, [times.at(-1), times.length, names])
  return (
    <figure class="chart">
      <div ref={place} role="img" aria-label={`${label}: ${latest.join(', ')}`} />
      {series.length > 1 && (
        <figcaption>
          {series.map(({ label }, i) => (
            <span key={label} class={`key key-${i}`}>
              {label}
            </span>
          ))}
        </figcaption>
      )}
    </figure>
  )
}

function optionsOf(series: Series[], element: HTMLElement): UPlot.Options {
  const style = getComputedStyle(element)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const { unit } = series[0]!
  const grid = { stroke: colour('--line'), width: 1 }
  const axis = { stroke: colour('--quiet'), grid, ticks: { show: false }, font: '11px system-ui' }
  return {
    width: element.clientWidth || 280,
    height: HEIGHT,
    cursor: { show: false },
    legend: { show: false },
    padding: [8, 16, 0, 0],
    scales: {
      y: { range: (_plot, _least, most) => [0, unit === 'share' ? 1 : Math.max(most * 1.15, 1)] }
    },
    axes: [
      {
        ...axis,
        size: 24,
        space: 72,
        values: (_plot, ticks) => ticks.map(at => clock(at * 1000).slice(3))
      },
      { ...axis, size: 58, space: 34, values: (_plot, ticks) => ticks.map(FORMATS[unit]) }
    ],
    series: [
      {},
      ...series.map((each, i) => ({
        label: each.label,
        stroke: colour(`--curve-${i}`),
        fill: i === 0 ? colour('--curve-fill') : undefined,
        width: 1.75,
        points: { show: false }
      }))
    ]
  }
}
