import { joinEnsemble } from 'embedded-coord'

const coord = await joinEnsemble({ valueEncoding: 'json' })
try {
  await coord.create('/config', { limit: 5 })
  await coord.setData('/config', { limit: 10 })
  console.log((await coord.getData('/config')).data) // { limit: 10 }
} finally {
  await coord.close()
}
