"""All network access: every request of the scrapers goes through `client.Client`."""
