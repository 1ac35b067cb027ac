// A small curve without axes.

export interface SparklineProps {
  values: readonly (number | undefined)[]
  /** The top of the curve. Default: the largest value. */
  max?: number
  width?: number
  height?: number
}

export function Sparkline({ values, max, width = 96, height = 24 }: SparklineProps) {
  const known = values.map(value => value ?? 0)
  if (known.length < 2)
    return <svg class="sparkline" width={width} height={height} aria-hidden="true" />
  const isFlat = max === undefined && Math.min(...known) === Math.max(...known)
  const top = max ?? Math.max(...known) * (isFlat ? 2 : 1)
  const step = width / (known.length - 1)
  const y = (value: number) =>
    height - 1.5 - (top > 0 ? Math.min(1, value / top) : 0) * (height - 3)
  const line = known.map((value, i) => `${(i * step).toFixed(1)},${y(value).toFixed(1)}`).join('L')
  return (
    <svg
      class={isFlat ? 'sparkline flat' : 'sparkline'}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {!isFlat && <path class="area" d={`M${line}L${width},${height}L0,${height}Z`} />}
      <path class="line" d={`M${line}`} />
    </svg>
  )
}
