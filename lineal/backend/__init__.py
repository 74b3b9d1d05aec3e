"""The port that all faces use, and its use cases: one operation, one transaction."""
