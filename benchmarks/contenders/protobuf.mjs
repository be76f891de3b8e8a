/** As much of protobuf as the loads of etcd need. */

/** A field that has a length. */
export function field(number, bytes) {
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes])
}

/** A field that is a number, which is no more than 2^53 and not negative. */
export function numberField(number, value) {
  return Buffer.concat([Buffer.from([number << 3]), varint(value)])
}

function varint(value) {
  const bytes = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  bytes.push(rest)
  return Buffer.from(bytes)
}

/** The values of each field of a message, by its number: numbers, which are exact up to 2^53, and bytes. */
export function decode(bytes) {
  const fields = new Map()
  let at = 0
  const number = () => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = number()
    let value
    if ((tag & 7) === 0) value = number()
    else if ((tag & 7) === 2) {
      const length = number()
      value = bytes.subarray(at, at + length)
      at += length
    } else throw new Error(`protobuf: type ${tag & 7}`)
    const values = fields.get(tag >>> 3)
    if (values === undefined) fields.set(tag >>> 3, [value])
    else values.push(value)
  }
  return fields
}
