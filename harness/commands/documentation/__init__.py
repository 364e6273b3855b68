"""The pages of ``docs/`` as a site, and those of them that are written from the code."""
