"""What alembic runs to carry revisions out: on the session that asked for them, inside its transaction.

`meta.format` is what says which format a store has. Alembic counts in a table of its own, which lives only as long
as that transaction, so that the two can never disagree.
"""

from __future__ import annotations

from alembic import context

VERSIONS = "lineal_revisions"

if hasattr(context, "config"):  # it has one while alembic is at work
    context.configure(
        connection=context.config.attributes["session"],
        version_table=VERSIONS,
        transactional_ddl=True,  # SQLite's is, once the driver leaves BEGIN to us
        transaction_per_migration=False,
    )
    context.run_migrations()
