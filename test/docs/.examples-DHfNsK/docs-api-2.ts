import { joinEnsemble } from 'embedded-coord'

await using coord = await joinEnsemble({ valueEncoding: 'utf8' })
await coord.create('/config/color', 'red', { parents: true })

const heard: string[] = []
for await (const event of coord.watch('/config', { recursive: true, includeData: true })) {
  if (event.type === 'gap' || event.type === 'synced') heard.push(event.type)
  else heard.push(`${event.type} ${event.path} ${event.data ?? '-'}`)
  if (event.type === 'synced') await coord.setData('/config/color', 'blue')
  if (event.type === 'changed') break
}
console.log(heard.join('; ')) // created /config -; created /config/color red; synced; changed /config/color blue
