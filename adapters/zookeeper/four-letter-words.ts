/** ZooKeeper's four-letter words: asked on the clients' port without a session, answered as text. */
import { type Diagnostics, type PlainFacts, zookeeperVersion } from './diagnostics.ts'

export type FourLetterWord =
  | 'ruok'
  | 'srvr'
  | 'stat'
  | 'mntr'
  | 'conf'
  | 'cons'
  | 'dump'
  | 'envi'
  | 'isro'
  | 'wchs'
  | 'wchc'
  | 'wchp'
  | 'dirs'
  | 'crst'
  | 'srst'

const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('')
const pairs = (facts: PlainFacts, separator: string): string =>
  lines(Object.entries(facts).map(([key, value]) => `${key}${separator}${value}`))

const notServing = 'This ZooKeeper instance is not currently serving requests\n'

function summary(server: Diagnostics): string {
  const { traffic } = server
  return lines([
    `Latency min/avg/max: ${traffic['min_latency']}/${traffic['avg_latency']}/${traffic['max_latency']}`,
    `Received: ${traffic['packets_received']}`,
    `Sent: ${traffic['packets_sent']}`,
    `Connections: ${traffic['num_alive_connections']}`,
    `Outstanding: ${traffic['outstanding_requests']}`,
    `Zxid: ${server.zxid}`,
    `Mode: ${server.mode}`,
    `Node count: ${server.nodeCount}`,
  ])
}

const versionLine = `Zookeeper version: ${zookeeperVersion}\n`

function clients(server: Diagnostics): string {
  const all = server.connections()
  return lines(
    all.map(
      ({ remote, outstanding, received, sent }) =>
        ` /${remote}[1](queued=${outstanding},recved=${received},sent=${sent})`,
    ),
  )
}

function connections(server: Diagnostics): string {
  const all = server.connections().map((one) => {
    const { min, average, max } = one.latencyMs
    const traffic = `queued=${one.outstanding},recved=${one.received},sent=${one.sent}`
    const session = `sid=${one.session},to=${one.timeoutMs},lcxid=0x${(one.lastXid >>> 0).toString(16)},lzxid=${one.lastZxid}`
    return ` /${one.remote}[1](${traffic},${session},minlat=${min},avglat=${average},maxlat=${max})`
  })
  return `${lines(all)}\n`
}

function dump(server: Diagnostics): string {
  const sessions = server.sessions()
  const owners = sessions.filter(({ ephemerals }) => ephemerals.length > 0)
  return lines([
    'SessionTracker dump:',
    `Sessions (${sessions.length}):`,
    ...sessions.map(({ id, timeoutMs }) => `${id}\t${timeoutMs}ms`),
    'ephemeral nodes dump:',
    `Sessions with Ephemerals (${owners.length}):`,
    ...owners.flatMap(({ id, ephemerals }) => [`${id}:`, ...ephemerals.map((path) => `\t${path}`)]),
  ])
}

function listed(groups: ReadonlyMap<string, readonly string[]>): string {
  return lines([...groups].flatMap(([key, values]) => [key, ...values.map((value) => `\t${value}`)]))
}

function watchSummary(server: Diagnostics): string {
  const bySession = server.watchesBySession()
  const total = [...bySession.values()].reduce((sum, { length }) => sum + length, 0)
  return lines([
    `${bySession.size} connections watching ${server.watchesByPath().size} paths`,
    `Total watches:${total}`,
  ])
}

const words: Readonly<Record<FourLetterWord, (server: Diagnostics) => string>> = {
  ruok: () => 'imok',
  srvr: (server) => versionLine + summary(server),
  stat: (server) => `${versionLine}Clients:\n${clients(server)}\n${summary(server)}`,
  mntr: (server) => lines(Object.entries(server.monitor()).map(([key, value]) => `zk_${key}\t${value}`)),
  conf: (server) => {
    const { client_port, max_client_cnxns, min_session_timeout, max_session_timeout } = server.configuration()
    return lines([
      `clientPort=${client_port}`,
      `maxClientCnxns=${max_client_cnxns}`,
      `minSessionTimeout=${min_session_timeout}`,
      `maxSessionTimeout=${max_session_timeout}`,
    ])
  },
  cons: connections,
  dump,
  envi: (server) => `Environment:\n${pairs(server.environment(), '=')}`,
  isro: (server) => (server.isServing ? 'rw' : 'null'),
  wchs: watchSummary,
  wchc: (server) => listed(server.watchesBySession()),
  wchp: (server) => listed(server.watchesByPath()),
  dirs: (server) => lines([`datadir_size: ${server.dataSize()}`, 'logdir_size: 0']),
  crst: (server) => {
    server.resetConnections()
    return 'Connection stats reset.\n'
  },
  srst: (server) => {
    server.resetServer()
    return 'Server stats reset.\n'
  },
}

export const fourLetterWords: readonly FourLetterWord[] = Object.keys(words) as FourLetterWord[]

/** Those that tell nothing of sessions, clients and paths, and change nothing. */
export const harmlessWords: readonly FourLetterWord[] = ['ruok', 'srvr', 'mntr', 'conf', 'envi', 'isro', 'wchs', 'dirs']

/** These are answered also while no quorum serves the member. */
const always: ReadonlySet<FourLetterWord> = new Set(['ruok', 'conf', 'envi', 'isro', 'crst', 'srst'])

/** `undefined` for what is no word. */
export function answerWord(word: string, allowed: ReadonlySet<string>, server: Diagnostics): string | undefined {
  if (!fourLetterWords.includes(word as FourLetterWord)) return undefined
  if (!allowed.has(word)) return `${word} is not executed because it is not in the whitelist.\n`
  if (!server.isServing && !always.has(word as FourLetterWord)) return notServing
  return words[word as FourLetterWord](server)
}
