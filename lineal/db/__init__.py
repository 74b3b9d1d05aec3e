"""Where rows live: every table on one page, and sessions on SQLite and on PostgreSQL."""
