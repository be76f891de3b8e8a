import assert from 'node:assert/strict'
import { joinEnsemble } from 'embedded-coord'

const coord = await joinEnsemble()
await coord.create('/greeting', new TextEncoder().encode('hello'))
const { data } = await coord.getData('/greeting')
assert.equal(new TextDecoder().decode(data), 'hello')
await coord.close()
