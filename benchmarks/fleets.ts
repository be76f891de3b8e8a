/** The systems that are compared, started once for all workloads that want them alike, and warmed up. */
import type { Contender, ContenderKind, Durability, Load } from './contenders/contender.ts'

export const keys = 100

export class Fleets {
  readonly #kinds: readonly ContenderKind[]
  readonly #warmUpSeconds: number
  readonly #progress: (text: string) => void
  #durability: Durability | undefined
  #contenders: Contender[] = []

  constructor(kinds: readonly ContenderKind[], warmUpSeconds: number, progress: (text: string) => void) {
    this.#kinds = kinds
    this.#warmUpSeconds = warmUpSeconds
    this.#progress = progress
  }

  /** All of three servers, with their nodes of 1 KB. Those of another durability are stopped: memory is not endless. */
  async get(durability: Durability): Promise<readonly Contender[]> {
    if (this.#durability === durability) return this.#contenders
    await this.stop()
    this.#durability = durability
    for (const kind of this.#kinds) {
      if (kind.durability !== undefined && kind.durability !== durability) continue
      this.#progress(`${kind.name}: starts`)
      const contender = await kind.start(durability, undefined, this.#contenders)
      this.#contenders.push(contender)
      await contender.prepare(keys, 1024)
    }
    await this.#warmUp()
    return this.#contenders
  }

  async stop(): Promise<void> {
    await Promise.all(this.#contenders.map((contender) => contender.stop()))
    this.#contenders = []
    this.#durability = undefined
  }

  /** Half of it writes, half reads: all at once, for what matters is that their code gets compiled. V8 compiles, too: so all alike. */
  async #warmUp(): Promise<void> {
    const load: Load = { operation: 'write', bytes: 1024, keys, outstanding: 960 }
    for (const contender of this.#contenders) {
      const seconds = this.#warmUpSeconds
      this.#progress(`${contender.name}: warms up for ${seconds} s`)
      await contender.run(load, seconds / 2)
      await contender.run({ ...load, operation: 'read' }, seconds / 2)
    }
  }
}
