/** Three members in processes of their own, with a gateway each, for the clients of others. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { freePorts } from '../free-ports.ts'
import { superDigest } from '../zookeeper/server.ts'

export interface GatewayProcess {
  readonly port: number
  readonly pid: number
}

export class GatewayFleet implements AsyncDisposable {
  readonly members: readonly GatewayProcess[]
  readonly #children: readonly ChildProcess[]

  private constructor(children: readonly ChildProcess[], gatewayPorts: readonly number[]) {
    this.#children = children
    this.members = children.map((child, index) => ({ port: gatewayPorts[index] as number, pid: child.pid as number }))
  }

  static async start(size = 3): Promise<GatewayFleet> {
    const ports = await freePorts(size * 2)
    const peers = ports.slice(0, size).map((port) => `ws://127.0.0.1:${port}`)
    const gatewayPorts = ports.slice(size)
    const children = peers.map(() => fork('test/clients/member.ts', { execArgv: ['--import', 'tsx'] }))
    const fleet = new GatewayFleet(children, gatewayPorts)
    await Promise.all(
      children.map(async (child, index) => {
        const answered = once(child, 'message')
        child.send({ port: ports[index], peers, gatewayPort: gatewayPorts[index], superDigest })
        const [answer] = await answered
        if (answer !== 'serves') throw new Error(String(answer))
      }),
    )
    return fleet
  }

  /** As ZooKeeper's clients are told of it. */
  get connectString(): string {
    return this.members.map(({ port }) => `127.0.0.1:${port}`).join(',')
  }

  /** `port=pid` of each: a program kills the member that it is connected to. */
  get pids(): string {
    return this.members.map(({ port, pid }) => `${port}=${pid}`).join(',')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const exited = once(child, 'exit')
        child.kill('SIGKILL')
        await exited
      }),
    )
  }
}
