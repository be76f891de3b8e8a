import { joinEnsemble } from 'embedded-coord'

await using coord = await joinEnsemble({ valueEncoding: 'json' })

await coord.create('/config', { limit: 5 })
const { data, stat } = await coord.getData('/config', {
  watch: ({ type, path }) => console.log(`${path}: ${type}`),
})
console.log(data) // { limit: 5 }
await coord.setData('/config', { limit: 10 }, { version: stat.version }) // prints "/config: changed"

const worker = await coord.create('/workers/w-', undefined, { mode: 'ephemeral-sequential', parents: true })
console.log(worker) // /workers/w-0000000000
// It goes when this session ends.
