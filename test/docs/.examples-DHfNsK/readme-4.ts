import { ClassicLevel } from 'classic-level' // npm install classic-level
import { joinEnsemble } from 'embedded-coord'

await using coord = await joinEnsemble({ storage: new ClassicLevel(process.env.COORD_DIR ?? './coord') })
await coord.create('/kept', new TextEncoder().encode('also after a restart'))
