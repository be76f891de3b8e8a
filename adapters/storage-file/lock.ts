/**
 * One process at a time. Node has no lock on files that a crash releases, but every system has a place to listen that
 * only one process can have, and that its end frees, even by kill -9:
 *
 * - Linux: an abstract socket, named by device and inode of the directory. It is of the network namespace, so processes in two
 *   containers do not see each other there.
 * - Windows: a named pipe, likewise.
 * - Elsewhere: a socket file in the directory. One of a dead process stays behind; nobody answers there, and it is removed.
 *   Two processes that do that in the same moment may both go on: then the mark of `owner.ts` tells them apart.
 *
 * Nothing is ever said over it: whoever connects is cut off. It does not keep the process running.
 */
import { createHash } from 'node:crypto'
import { realpath, rm, stat } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CoordError } from '../../lib/errors.ts'
import { lockName } from './layout.ts'

export interface Lock {
  release(): Promise<void>
}

/** What a path of a socket may be long, everywhere. */
const pathBytesMax = 100

/** Of a directory that is there. Rejects with COORD_STORE_LOCKED when somebody has it, in this process or another one. */
export async function lock(directory: string, platform: NodeJS.Platform = process.platform): Promise<Lock> {
  const place = await realpath(directory)
  const { dev, ino } = await stat(place, { bigint: true })
  const name = createHash('sha256').update(`${dev}:${ino}`).digest('hex').slice(0, 32)
  if (platform === 'linux') return listen(`\0embedded-coord/${name}`, place)
  if (platform === 'win32') return listen(`\\\\.\\pipe\\embedded-coord-${name}`, place)
  const inside = join(place, lockName)
  const path = Buffer.byteLength(inside) <= pathBytesMax ? inside : join(tmpdir(), `embedded-coord-${name}`)
  return listenOnFile(path, place)
}

async function listenOnFile(path: string, place: string): Promise<Lock> {
  if (await isAnswered(path)) throw locked(place)
  await rm(path, { force: true })
  const held = await listen(path, place)
  return {
    async release() {
      await held.release()
      await rm(path, { force: true })
    },
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const end = (answered: boolean): void => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

async function listen(path: string, place: string): Promise<Lock> {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      // Windows says the latter of a pipe that somebody else has.
      const isTaken = error.code === 'EADDRINUSE' || (process.platform === 'win32' && error.code === 'EACCES')
      reject(isTaken ? locked(place, error) : error)
    })
    // Exclusive: workers of node:cluster would share it otherwise.
    server.listen({ path, exclusive: true }, resolve)
  })
  server.unref()
  // Whatever goes wrong with a connection is not ours to tell.
  server.on('error', () => {})
  return { release: () => closed(server) }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}

function locked(place: string, cause?: unknown): CoordError {
  return new CoordError('COORD_STORE_LOCKED', `another process uses the store ${place}`, { cause })
}
