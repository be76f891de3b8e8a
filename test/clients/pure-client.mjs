// What applications do with node-zookeeper-client, against the connect string and the port=pid list in the arguments.
import assert from 'node:assert/strict'
import { promisify } from 'node:util'
// biome-ignore lint/correctness/noUndeclaredDependencies: the test installs it in a folder of its own.
import zookeeper from 'node-zookeeper-client'

const [hosts, pids] = process.argv.slice(2)
const pidOf = Object.fromEntries(pids.split(',').map((pair) => pair.split('=')))

async function open() {
  const client = zookeeper.createClient(hosts, { sessionTimeout: 15_000, retries: 5 })
  const connected = new Promise((resolve) => client.once('connected', resolve))
  client.connect()
  await connected
  return client
}

// Its methods have a callback last, and some give more than one result.
const call = (client, name, ...args) =>
  new Promise((resolve, reject) =>
    client[name](...args, (error, ...results) => (error ? reject(error) : resolve(results))),
  )
const fails = (promise, name) => assert.rejects(promise, (error) => error.getName?.() === name)

async function until(condition) {
  while (!(await condition())) await promisify(setTimeout)(50)
}

const [one, other] = [await open(), await open()]
const { CreateMode, Permission, ACL, Id } = zookeeper

assert.deepEqual(await call(one, 'create', '/pure', Buffer.from('one')), ['/pure'])
const [data, stat] = await call(one, 'getData', '/pure')
assert.equal(data.toString(), 'one')
assert.equal(stat.version, 0)
await call(one, 'setData', '/pure', Buffer.from('two'), 0)
await fails(call(one, 'setData', '/pure', Buffer.from('three'), 0), 'BAD_VERSION')
await fails(call(one, 'create', '/pure'), 'NODE_EXISTS')
await call(one, 'mkdirp', '/pure/a/b/c')
await fails(call(one, 'remove', '/pure/a', -1), 'NOT_EMPTY')
const [sequential] = await call(one, 'create', '/pure/s-', CreateMode.PERSISTENT_SEQUENTIAL)
assert.equal(sequential, '/pure/s-0000000001')
await call(one, 'create', '/pure/e', CreateMode.EPHEMERAL)
const [children] = await call(one, 'getChildren', '/pure')
assert.deepEqual(children.sort(), ['a', 'e', 's-0000000001'])
assert.equal((await call(one, 'exists', '/none'))[0], null)
console.log('ok create, read, update, delete')

const events = []
await call(one, 'getData', '/pure', (event) => events.push(event.toString()))
await call(one, 'getChildren', '/pure', (event) => events.push(event.toString()))
await call(one, 'exists', '/later', (event) => events.push(event.toString()))
await call(other, 'setData', '/pure', Buffer.from('x'), -1)
await call(other, 'create', '/pure/f')
await call(other, 'create', '/later')
await until(() => events.length === 3)
for (const [index, name] of ['NODE_DATA_CHANGED', 'NODE_CHILDREN_CHANGED', 'NODE_CREATED'].entries()) {
  assert.ok(events[index].includes(name), `${events[index]} is no ${name}`)
}
console.log('ok watches')

one.addAuthInfo('digest', Buffer.from('bob:secret'))
await call(one, 'create', '/pure/bobs', Buffer.from('x'), [new ACL(Permission.ALL, new Id('auth', ''))])
await call(other, 'exists', '/pure')
await until(async () => {
  const error = await call(other, 'getData', '/pure/bobs').catch((failure) => failure)
  return error.getName?.() === 'NO_AUTH'
})
const [acls] = await call(one, 'getACL', '/pure/bobs')
assert.ok(acls[0].id.id.startsWith('bob:'))
console.log('ok ACLs and logins')

const commit = (transaction) => promisify(transaction.commit.bind(transaction))()
await commit(
  one.transaction().create('/pure/t').setData('/pure/t', Buffer.from('x')).check('/pure/t').remove('/pure/t'),
)
await assert.rejects(commit(one.transaction().create('/pure/u').remove('/none')))
assert.equal((await call(one, 'exists', '/pure/u'))[0], null)
console.log('ok transactions')

const session = one.getSessionId().toString('hex')
const port = one.connectionManager.socket.remotePort
const back = new Promise((resolve) => one.once('disconnected', () => one.once('connected', resolve)))
process.kill(Number(pidOf[port]), 'SIGKILL')
await back
assert.equal(one.getSessionId().toString('hex'), session)
await until(() =>
  call(one, 'exists', '/pure/e').then(
    ([found]) => found !== null,
    () => false,
  ),
)
console.log('ok a session that moves to another member')
one.close()
other.close()
console.log('done')
setTimeout(() => process.exit(), 500)
