"""The hub's libraries, which ``src/`` and every contribution may import."""
