// What applications do with the npm package zookeeper (the C client), against the connect string in the arguments.
const assert = require('node:assert/strict')
const { setTimeout: sleep } = require('node:timers/promises')
// biome-ignore lint/correctness/noUndeclaredDependencies: the test installs it in a folder of its own.
const ZooKeeper = require('zookeeper')

const [hosts, pids] = process.argv.slice(2)

function open(options = {}) {
  const client = new ZooKeeper({
    connect: hosts,
    timeout: 15_000,
    debug_level: ZooKeeper.ZOO_LOG_LEVEL_ERROR,
    ...options,
  })
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client))
    client.once('error', reject)
    client.init({})
  })
}

const fails = (promise, code) =>
  assert.rejects(promise, (error) => error === code || error.code === code || String(error).includes(String(code)))

async function until(condition) {
  while (!(await condition())) await sleep(50)
}

async function main() {
  const [one, other] = [await open(), await open()]
  assert.equal(await one.create('/native', 'one', 0), '/native')
  const [stat, data] = await one.get('/native', false)
  assert.equal(data.toString(), 'one')
  assert.equal(stat.version, 0)
  assert.equal((await one.set('/native', 'two', 0)).version, 1)
  await fails(one.set('/native', 'three', 0), ZooKeeper.ZBADVERSION)
  await fails(one.create('/native', '', 0), ZooKeeper.ZNODEEXISTS)
  assert.equal(await one.create('/native/s-', '', ZooKeeper.ZOO_SEQUENCE), '/native/s-0000000000')
  await one.create('/native/e', '', ZooKeeper.ZOO_EPHEMERAL)
  await fails(one.delete_('/native', -1), ZooKeeper.ZNOTEMPTY)
  assert.deepEqual((await one.get_children('/native', false)).sort(), ['e', 's-0000000000'])
  const [children, parent] = await one.get_children2('/native', false)
  assert.equal(children.length, 2)
  assert.equal(parent.numChildren, 2)
  await fails(one.exists('/none', false), ZooKeeper.ZNONODE)
  console.log('ok create, read, update, delete')

  const changed = new Promise((resolve) => void one.w_get('/native', (...event) => resolve(event[2])).catch(() => {}))
  await one.get('/native', false)
  await other.set('/native', 'x', -1)
  assert.equal(await changed, '/native')
  const grown = new Promise(
    (resolve) => void one.w_get_children('/native', (...event) => resolve(event[2])).catch(() => {}),
  )
  await one.get('/native', false)
  await other.create('/native/f', '', 0)
  assert.equal(await grown, '/native')
  console.log('ok watches')

  await new Promise((resolve) => one.add_auth('digest', 'bob:secret', resolve))
  await one.set_acl('/native/f', -1, [{ perms: ZooKeeper.ZOO_PERM_ALL, scheme: 'auth', auth: '' }])
  const acls = await one.get_acl('/native/f')
  assert.ok(JSON.stringify(acls).includes('bob:'))
  await until(() =>
    other.get('/native/f', false).then(
      () => false,
      () => true,
    ),
  )
  console.log('ok ACLs and logins')

  const session = one.client_id
  const seen = []
  for (const client of [one, other]) client.on('close', () => seen.push('close'))
  // Which member it is connected to is not shown: one of them goes, perhaps its own.
  process.kill(Number(pids.split(',')[0].split('=')[1]), 'SIGKILL')
  await until(() =>
    one.exists('/native/e', false).then(
      () => true,
      () => false,
    ),
  )
  assert.equal(one.client_id, session)
  assert.deepEqual(seen, [])
  console.log('ok a session that lives on when a member goes')
  one.close()
  other.close()
  console.log('done')
  setTimeout(() => process.exit(), 500)
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
