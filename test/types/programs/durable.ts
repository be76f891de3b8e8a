/** Stores and encodings as an application passes them. */
import { ClassicLevel } from 'classic-level'
import { type Coord, joinEnsemble, type ValueCodec } from 'embedded-coord'
import { createTestEnsemble } from 'embedded-coord/testing'

const dates: ValueCodec<Date> = {
  name: 'date',
  encode: (value: Date) => new TextEncoder().encode(value.toISOString()),
  decode: (bytes: Uint8Array) => new Date(new TextDecoder().decode(bytes)),
}

export async function main(): Promise<void> {
  const coord = await joinEnsemble({ storage: new ClassicLevel('./coord'), valueEncoding: dates })
  await joinEnsemble({ listen: { port: 7400 }, peers: { dns: 'orders.internal', port: 7400 } })
  await joinEnsemble({ listen: { port: 7400 }, peers: async () => ['ws://10.0.0.5:7400'] })
  // @ts-expect-error A discovery is one of several.
  await joinEnsemble({ listen: { port: 7400 }, peers: { consul: 'orders' } })
  const typed: Coord<Date> = coord
  const { data } = await typed.getData('/since')
  const year: number | undefined = data?.getFullYear()
  const bytes: Coord = await joinEnsemble()
  await bytes.create('/raw', new Uint8Array([1]))
  // @ts-expect-error Without an encoding, data are bytes.
  await bytes.create('/text', 'text')
  const buffers = await joinEnsemble({ valueEncoding: 'buffer' })
  const buffer: Buffer | undefined = (await buffers.getData('/raw')).data
  await using ensemble = await createTestEnsemble({ size: 2, seed: 42, clock: 'virtual', valueEncoding: 'utf8' })
  const [a, b] = ensemble.coords
  await a.create('/x', 'text')
  ensemble.partition([a], [b])
  console.log(year, buffer?.toString('hex'))
}
