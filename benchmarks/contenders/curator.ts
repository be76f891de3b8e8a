/** Curator's recipes on ZooKeeper, as Debian packages both. */
import { existsSync } from 'node:fs'
import { JavaLoad } from './java-load.ts'

const jars = ['curator-recipes', 'curator-framework', 'curator-client', 'zookeeper', 'guava', 'slf4j-api'].map(
  (name) => `/usr/share/java/${name}.jar`,
)

export const hasCurator = (): boolean => jars.every((jar) => existsSync(jar))

export const startCurator = (hosts: string): Promise<JavaLoad> => JavaLoad.start('CuratorLoad', jars.join(':'), [hosts])
