/** A CommonJS service with a life cycle, in the manner of NestJS: `require` of the ESM package. */
import coordination = require('embedded-coord')

class CoordinationService {
  private coord: coordination.Coord<string> | undefined

  async onModuleInit(): Promise<void> {
    this.coord = await coordination.joinEnsemble({ valueEncoding: 'utf8', waitFor: 'start' })
    await this.coord.ready({ signal: AbortSignal.timeout(10_000) })
  }

  async read(path: string): Promise<string | undefined> {
    return (await this.coord?.getData(path, { consistency: 'linearizable' }))?.data
  }

  async onApplicationShutdown(): Promise<void> {
    await this.coord?.close()
  }
}

export = CoordinationService
