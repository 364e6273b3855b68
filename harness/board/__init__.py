"""The board: rows in, a static site and two blocks of markdown out. Free of torch."""
