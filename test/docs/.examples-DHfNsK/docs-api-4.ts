import { joinEnsemble } from 'embedded-coord'

await using coord = await joinEnsemble({ valueEncoding: 'utf8' })
await coord.create('/tenant')
await coord.setQuota('/tenant', { hardCount: 2, hardBytes: 10 })
await coord.create('/tenant/a', '12345')
const refused = await coord.create('/tenant/b').catch((error: { code: string }) => error.code)
console.log(refused) // COORD_QUOTA_EXCEEDED
console.log(JSON.stringify((await coord.getQuota('/tenant'))?.used)) // {"count":2,"bytes":5}
