import { joinEnsemble } from 'embedded-coord'

const coord = await joinEnsemble({
  name: process.env.NAME, // unique, and the same after a restart
  listen: { port: Number(process.env.PORT) }, // 127.0.0.1 unless a host is given
  peers: process.env.PEERS?.split(','), // the founders: the same list for all of them
  secret: process.env.COORD_SECRET, // the same for all members
  valueEncoding: 'json',
})
process.once('SIGTERM', () => coord.close())

await coord.create(`/here/${coord.member.name}`, { pid: process.pid }, { mode: 'ephemeral', parents: true })
const { children } = await coord.getChildren('/here', { consistency: 'linearizable' })
console.log(`${coord.member.name} is ${coord.member.role}; here are ${children.join(', ')}`)
