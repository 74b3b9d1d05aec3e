"""The revisions, one for each format. What they say never changes once the format was released."""
