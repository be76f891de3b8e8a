/** What the loads that speak a peer's protocol by hand share: a connection to loopback, and one write a turn. */
import { connect } from 'node:net'

/** A connected socket. */
export function dial(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

/** Writes what it is given in one go at the end of the turn. */
export function inOneWrite(socket) {
  let isCorked = false
  return (bytes) => {
    if (!isCorked) {
      isCorked = true
      socket.cork()
      setImmediate(() => {
        isCorked = false
        socket.uncork()
      })
    }
    socket.write(bytes)
  }
}
