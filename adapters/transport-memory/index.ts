/**
 * A network inside one process: for ensembles in one process, and for tests that need no sockets. Any name without
 * blanks is an address.
 *
 * It behaves like a real one where that shows bugs: frames are copied, nothing is delivered in the turn in which it was
 * sent, and what a side sent before it closed still arrives before the close does.
 */
export type { Schedule } from './memory-connection.ts'
export { MemoryNetwork, type MemoryNetworkOptions } from './memory-network.ts'
