"""One line about each picture, short enough for the tokenizer."""
