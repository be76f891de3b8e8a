/** Values as text, so that two of them can be compared and shown: bigints, bytes and all; absent is as good as undefined. */
export function textOf(value: unknown): string {
  if (value === undefined) return 'undefined'
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Uint8Array) return `bytes(${Buffer.from(value).toString('hex')})`
  if (Array.isArray(value)) return `[${value.map(textOf).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined)
    const fields = entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => `${key}: ${textOf(item)}`)
    return `{ ${fields.join(', ')} }`
  }
  return JSON.stringify(value)
}

/** A hash of a text: 32 bits, FNV-1a. */
export function hashOf(text: string, seed = 0x811c9dc5): number {
  let hash = seed
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}
