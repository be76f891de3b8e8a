import { World } from './fixture.ts'
describe('try', () => {
  it('three', async () => {
    await using world = new World()
    const t = performance.now()
    const coords = await world.found(3)
    console.log('found', performance.now() - t, coords.map((c) => c.member.role))
    const t2 = performance.now()
    console.log(await coords[1]!.create('/a', Buffer.from('x')), performance.now() - t2)
    console.log(coords[1], JSON.stringify(coords[1]!.member), coords[1]!.explain())
  })
})
