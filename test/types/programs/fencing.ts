/** A lock by hand, with its fencing token, and a transaction that holds only while the lock does. */
import { joinEnsemble } from 'embedded-coord'

export async function main(): Promise<bigint> {
  await using coord = await joinEnsemble({ valueEncoding: 'utf8' })
  const path = await coord.create('/lock/n-', 'me', { mode: 'ephemeral-sequential', parents: true })
  const stat = await coord.exists(path)
  if (stat === undefined) throw new Error('lost')
  const token: bigint = stat.czxid
  const [created, changed] = await coord.multi(
    [
      { type: 'create', path: '/result', data: 'done' },
      { type: 'setData', path: '/result', data: 'done twice' },
      { type: 'check', path: '/result', version: 1 },
    ],
    { ifHeld: { path, token } },
  )
  const where: string = created.path
  const version: number = changed.stat.version
  // @ts-expect-error A setData has no path in its result.
  console.log(changed.path)
  // @ts-expect-error Values are texts here.
  await coord.setData('/result', 5)
  await coord.getChildren('/', { watch: (event) => console.log(event.type, event.path, event.zxid, where, version) })
  await coord.sync()
  return token
}
