"""The embedded cluster and everything that prepares one machine: tools, images, charts, start and stop."""
