"""What every package needs: errors, files, records, settings, hashes, texts. No torch."""
