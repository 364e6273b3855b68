"""The libraries of the hub: what ``src/`` and every contribution may import besides packages."""
