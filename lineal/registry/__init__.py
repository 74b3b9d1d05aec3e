"""Names for bytes: collections, their versions, the aliases that move over them, and links across projects."""
