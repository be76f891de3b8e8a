/**
 * What proves an adapter: `storageSuite`, `transportSuite` and `discoverySuite` check every sentence of the contracts in `ports/`, with
 * whatever test runner is passed in. The suites of the default adapters are these; run them over your own:
 *
 *     import { storageSuite } from 'embedded-coord/suites'
 *     describe('my storage', () => {
 *       storageSuite({ test: it, factory: () => ({ storage: () => new MyStorage('/tmp/somewhere-fresh') }) })
 *     })
 */
export { type DiscoveryFixture, type DiscoverySuiteOptions, discoverySuite } from './discovery-suite.ts'
export type { TestFunction } from './runner.ts'
export { type StorageFixture, type StorageSuiteOptions, storageSuite } from './storage-suite.ts'
export { type TransportFixture, type TransportSuiteOptions, transportSuite } from './transport-suite.ts'
