/** Addresses and networks of the `ip` scheme: IPv4 and IPv6 with an optional prefix length, as in `10.0.0.0/8`. */

/** Whether an ACL may name this: an address, or one and how many of its first bits count. */
export function isIpPattern(pattern: string): boolean {
  return parsePattern(pattern) !== undefined
}

/** Whether an address lies in the network that a pattern names. An IPv4 address inside IPv6 counts as IPv4. */
export function ipMatches(address: string, pattern: string): boolean {
  const network = parsePattern(pattern)
  const bytes = parseAddress(address)
  if (network === undefined || bytes === undefined || bytes.length !== network.bytes.length) return false
  return bytes.every((byte, index) => {
    const shift = 8 - Math.max(0, Math.min(8, network.bits - index * 8))
    return byte >> shift === (network.bytes[index] as number) >> shift
  })
}

interface Network {
  readonly bytes: readonly number[]
  readonly bits: number
}

function parsePattern(pattern: string): Network | undefined {
  const [address = '', prefix, ...rest] = pattern.split('/')
  const bytes = parseAddress(address)
  if (bytes === undefined || rest.length > 0) return undefined
  if (prefix === undefined) return { bytes, bits: bytes.length * 8 }
  const bits = parseDecimal(prefix, bytes.length * 8)
  return bits === undefined ? undefined : { bytes, bits }
}

function parseDecimal(text: string, max: number): number | undefined {
  if (!/^\d{1,3}$/.test(text)) return undefined
  const value = Number(text)
  return value <= max ? value : undefined
}

function parseAddress(address: string): readonly number[] | undefined {
  return parseV4(address) ?? withoutMapping(parseV6(address))
}

function parseV4(address: string): readonly number[] | undefined {
  const parts = address.split('.')
  if (parts.length !== 4) return undefined
  const bytes = parts.map((part) => parseDecimal(part, 255))
  return bytes.every((byte) => byte !== undefined) ? (bytes as number[]) : undefined
}

function parseV6(address: string): readonly number[] | undefined {
  const [head = '', tail, ...rest] = address.split('::')
  if (rest.length > 0) return undefined
  const before = parseGroups(head)
  const after = tail === undefined ? [] : parseGroups(tail)
  if (before === undefined || after === undefined) return undefined
  const missing = 16 - before.length - after.length
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined
  return [...before, ...Array.from({ length: missing }, () => 0), ...after]
}

/** Bytes of groups between colons; the last group may be an IPv4 address. */
function parseGroups(text: string): readonly number[] | undefined {
  if (text === '') return []
  const groups = text.split(':')
  const bytes: number[] = []
  for (const [index, group] of groups.entries()) {
    const v4 = index === groups.length - 1 ? parseV4(group) : undefined
    if (v4 !== undefined) bytes.push(...v4)
    else if (/^[0-9a-f]{1,4}$/i.test(group))
      bytes.push(Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255)
    else return undefined
  }
  return bytes
}

/** `::ffff:10.0.0.1` is what a socket that listens on both families calls 10.0.0.1. */
function withoutMapping(bytes: readonly number[] | undefined): readonly number[] | undefined {
  if (bytes === undefined) return undefined
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
  return isMapped ? bytes.slice(12) : bytes
}
