/** What the machine and Node let anybody do: syncs of a file, and round trips between two processes. */
import { open } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { inLanes, serveCommands } from '../contenders/lanes.mjs'

serveCommands({
  /** Appends and syncs, one after the other. */
  async sync({ file, bytes, seconds }) {
    const handle = await open(file, 'w')
    const data = Buffer.alloc(bytes)
    const sample = await inLanes(1, seconds, async () => {
      await handle.write(data)
      await handle.datasync()
    })
    await handle.close()
    return sample
  },

  /** Sends back what comes. */
  async echo() {
    const server = createServer((socket) => socket.pipe(socket))
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    return server.address().port
  },

  /** One small message to and fro at a time. */
  async pingPong({ port, bytes, seconds }) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await new Promise((resolve) => socket.once('connect', resolve))
    const data = Buffer.alloc(bytes)
    const sample = await inLanes(
      1,
      seconds,
      () =>
        new Promise((resolve) => {
          let left = bytes
          const take = (chunk) => {
            left -= chunk.length
            if (left > 0) return
            socket.off('data', take)
            resolve()
          }
          socket.on('data', take)
          socket.write(data)
        }),
    )
    socket.destroy()
    return sample
  },
})
