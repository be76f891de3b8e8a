import { joinEnsemble, READ_ACL, scryptId } from 'embedded-coord'

await using coord = await joinEnsemble({ valueEncoding: 'utf8' })
const ops = { scheme: 'scrypt', id: await scryptId('ops', 'a long password'), permissions: 'cdrwa' }
await coord.create('/limits', '100', { acl: [...READ_ACL, ops] })

const change = (client: typeof coord) =>
  client.setData('/limits', '200').then(
    () => 'done',
    (error: { code: string }) => error.code,
  )
console.log(await change(coord)) // COORD_NO_AUTH
await coord.addAuth('scrypt', 'ops:a long password')
console.log(await change(coord)) // done
