"""What runs an app: a consumer's process and its launcher, its crew, the drain inside a web process, restoring."""
