// With everything that it needs in one file, this is what a single-binary deployment is made of.
import assert from 'node:assert/strict'
import { joinEnsemble } from 'embedded-coord'

async function main() {
  const options = { listen: { port: 0 }, valueEncoding: 'utf8' }
  const first = await joinEnsemble({ ...options, name: 'first' })
  const second = await joinEnsemble({ ...options, name: 'second', peers: [first.member.address] })
  await second.create('/greeting', 'hello')
  await first.sync('/')
  assert.equal((await first.getData('/greeting')).data, 'hello')
  await second.leave()
  await first.close()
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
