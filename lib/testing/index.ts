/** For the tests of applications: an ensemble in one process, on virtual time. */
export { type Coords, createTestEnsemble, type TestEnsemble, type TestEnsembleOptions } from './test-ensemble.ts'
