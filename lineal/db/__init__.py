"""Where rows live: every table on one page, and sessions on SQLite (PostgreSQL follows with the server)."""
