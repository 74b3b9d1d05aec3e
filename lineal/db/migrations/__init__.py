"""How stores of former formats become today's: a revision for each format, carried out by alembic."""
