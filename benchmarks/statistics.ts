/** Of a few windows or runs, or of many latencies. */

export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** Three digits that count, and no more. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (value === 0) return '0'
  const size = Math.abs(value)
  const after = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return value.toLocaleString('en-US', { minimumFractionDigits: after, maximumFractionDigits: after })
}

/** `median (least–most)`; one value stands alone. */
export function spread(values: readonly number[]): string {
  if (values.length <= 1) return digits(values[0] ?? Number.NaN)
  return `${digits(median(values))} (${digits(quantile(values, 0))}–${digits(quantile(values, 1))})`
}

/** Pair by pair, of windows that were measured one after the other; of the medians where they do not pair. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  if (ours.length !== theirs.length) return [median(ours) / median(theirs)]
  return ours.map((value, index) => value / (theirs[index] ?? Number.NaN))
}
