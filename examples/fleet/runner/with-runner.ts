/** Loaded into each process of the fleet before anything else: it does not outlive the runner, however that ends. */
process.once('disconnect', () => process.exit(1))
process.channel?.unref()
