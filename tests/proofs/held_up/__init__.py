"""Does a recommendation hold up? See __main__.py."""
