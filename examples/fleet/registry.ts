/**
 * Service discovery: each process has an ephemeral node that says where it is reached. The node of a process that dies
 * goes with its session.
 */
import type { Coord } from 'embedded-coord'
import { ignoring } from './coord-errors.ts'
import { whileConnected } from './while-connected.ts'

export interface Service {
  readonly name: string
  readonly url: string
}

export class Registry {
  readonly #coord: Coord<unknown>
  readonly #path: string

  /** The node `path` has to exist. */
  constructor(coord: Coord<unknown>, path: string) {
    this.#coord = coord
    this.#path = path
  }

  /** Keeps this process registered, in each new session anew, until the coord is closed. */
  run({ name, url }: Service): Promise<void> {
    const path = `${this.#path}/${name}`
    return whileConnected(this.#coord, async () => {
      const stat = await this.#coord.exists(path)
      if (stat?.ephemeralOwner === this.#coord.session.id) return
      // Of an earlier session or process of ours: the ensemble admits one live member of a name.
      if (stat !== undefined) await this.#coord.delete(path).catch(ignoring('COORD_NO_NODE'))
      await this.#coord.create(path, url, { mode: 'ephemeral' })
    })
  }

  /** Who is there. Local reads: they cost nothing. */
  async services(): Promise<Service[]> {
    const { children } = await this.#coord.getChildren(this.#path)
    const services = await Promise.all(children.map((name) => this.#service(name)))
    return services.filter((service) => service !== undefined)
  }

  async #service(name: string): Promise<Service | undefined> {
    const found = await this.#coord.getData(`${this.#path}/${name}`).catch(ignoring('COORD_NO_NODE'))
    return found === undefined ? undefined : { name, url: String(found.data) }
  }
}
