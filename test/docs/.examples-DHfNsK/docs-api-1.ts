import { joinEnsemble } from 'embedded-coord'

await using coord = await joinEnsemble({ valueEncoding: 'json' })
await coord.create('/jobs', undefined, { mode: 'container' })
for (const job of ['sweep', 'mop', 'dust']) await coord.create(`/jobs/${job}`, { job })

const [first] = (await coord.getChildren('/jobs', { limit: 1 })).children
console.log(first) // dust
const { children } = await coord.getChildren('/jobs', { after: first })
console.log(children.join(', ')) // mop, sweep
console.log((await coord.getMode('/jobs')).mode) // container

const results = await coord
  .transaction()
  .check('/jobs/mop', 0)
  .setData('/jobs/mop', { job: 'mop', done: true })
  .delete('/jobs/dust')
  .commit()
console.log(results.length) // 3
