/**
 * A hash that is the same in every process and version: members that must agree without talking decide by it. Not for
 * secrets, and not against somebody who picks the texts.
 */

/** 32 bits of a text: FNV-1a, then mixed so that texts that differ in their last letter alone differ everywhere. */
export function stableHash(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
