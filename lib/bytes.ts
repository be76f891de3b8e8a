/** Bytes that change hands. */

/** A copy. Small ones share Node's pool of buffers: an array buffer for each costs more than what is in it. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = Buffer.allocUnsafe(bytes.length)
  const copy = new Uint8Array(buffer, byteOffset, length)
  copy.set(bytes)
  return copy
}
