"""What people come with, and what happens: each a test, all of them on docs/situations.md."""
