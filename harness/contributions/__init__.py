"""What a contribution is: its file, its record, where it lies, what it may be mixed with."""
