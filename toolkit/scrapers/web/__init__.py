"""The only way out to the network: every request of the scrapers goes through `client.Client`."""
