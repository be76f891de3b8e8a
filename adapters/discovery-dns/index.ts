/** Finds members by DNS: the addresses of a name, or its SRV records. */
export { type DnsDiscoveryOptions, type DnsResolver, dnsDiscovery } from './dns-discovery.ts'
