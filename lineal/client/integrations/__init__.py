"""Callbacks and loggers for the frameworks that train: one file each, imported by its own name."""
