"""User stories through the command line and the SDK."""
