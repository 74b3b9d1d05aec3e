"""Who may do what, and what was done.

Users, teams, roles, API keys, sessions, protected aliases, the record, and which projects hold which blobs. Functions
take a session, never commit, and know nothing of HTTP; docs/decisions/0013-server.md says what they are for.
"""
