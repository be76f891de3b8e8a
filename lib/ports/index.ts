/** The interfaces that adapters implement, with their contracts. What proves an adapter is in `embedded-coord/suites`. */
export type * from './auth-scheme.ts'
export type * from './clock.ts'
export type * from './discovery.ts'
export type * from './entropy.ts'
export type * from './hosting.ts'
export type * from './session-link.ts'
export type * from './storage.ts'
export type * from './transport.ts'
