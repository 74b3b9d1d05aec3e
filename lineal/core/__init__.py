"""Words that every room uses: errors, names, time and settings.

Nothing here touches the disk or the network, but for `settings`, the one reader of environment and config files.
"""
