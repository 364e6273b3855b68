"""What every test needs, in whatever way the tests were started."""

import signal

# A background job of a shell, such as some CI runners start, ignores Ctrl-C, and its children
# inherit that. The tests about stopping send the signal for real.
signal.signal(signal.SIGINT, signal.default_int_handler)
