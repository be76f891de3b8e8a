const assert = require('node:assert/strict')
const { joinEnsemble } = require('embedded-coord')

async function main() {
  const coord = await joinEnsemble()
  await coord.create('/greeting', new TextEncoder().encode('hello'))
  const { data } = await coord.getData('/greeting')
  assert.equal(new TextDecoder().decode(data), 'hello')
  await coord.close()
}

void main()
