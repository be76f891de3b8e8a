/** A process that joins and then does what its argument says: for tests of what holds a process, and of locked stores. */
import { ClassicLevel } from 'classic-level'
import { joinEnsemble } from '../../lib/index.ts'

const [task = '', argument = ''] = process.argv.slice(2)

switch (task) {
  case 'unref': {
    const coord = await joinEnsemble({ listen: { port: 0 } })
    await coord.create('/a')
    coord.unref()
    console.log('joined')
    break
  }
  case 'close': {
    const coord = await joinEnsemble({ listen: { port: 0 }, storage: new ClassicLevel(argument) })
    await coord.create('/a')
    await coord.close()
    console.log('joined')
    break
  }
  case 'refused': {
    // The port is taken, and the application does nothing about it: what began is undone all the same.
    await joinEnsemble({ listen: { port: Number(argument) } }).catch((error: { code: string }) =>
      console.log(error.code),
    )
    break
  }
  case 'timeout': {
    const options = { listen: { port: 0 }, peers: ['ws://127.0.0.1:9'], joinTimeoutMs: 200 }
    await joinEnsemble(options).catch((error: { code: string }) => console.log(error.code))
    break
  }
  case 'hold':
    await joinEnsemble(argument === '' ? {} : { storage: new ClassicLevel(argument) })
    console.log('joined')
    break
  default:
    throw new Error(`no such task: ${task}`)
}
