"""What every room needs: errors, files, records, settings, hashes, words. No torch."""
