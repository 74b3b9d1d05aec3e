"""Media: what a run logs beside numbers and texts; each is stored as a file under its digest, shown by its type."""
