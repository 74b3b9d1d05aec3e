"""The command line: every command asks the backend, or the SDK, and prints; none has logic of its own."""
