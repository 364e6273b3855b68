"""What all contributions are judged by: track, figures, row, verdict, order, statistics."""
