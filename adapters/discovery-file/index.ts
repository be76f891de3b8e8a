/** Finds members in a file that somebody else keeps. */
export { fileDiscovery } from './file-discovery.ts'
