"""The local backend: the operations of one store, joined."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from lineal.backend.local.context import Context, LocalBlobs
from lineal.backend.port import Artifacts, Backend, Lineage, Stores
from lineal.backend.port_access import Access
from lineal.backend.port_runs import Runs
from lineal.backend.port_sweeps import Sweeps

if TYPE_CHECKING:
    from lineal.access.model import Caller
    from lineal.backend.local.served import ServedBackend
    from lineal.backend.local.signing_in import SigningIn
    from lineal.backend.local.vouched import VouchedSigningIn


class LocalBackend(Backend):
    """One store, as the context sees it."""

    blobs: LocalBlobs

    def __init__(self, context: Context, *, url: str) -> None:
        self.url = url
        self.blobs = context.blobs
        self.context = context

    def served_to(
        self, caller: Caller | None, *, entity: str, project: str | None, host: str, user: str
    ) -> ServedBackend:
        """The same store as a server's caller sees it; closing it is the original's business.

        Without a caller, who may be nobody only where the store has no users, everything is allowed to `user`.
        """
        from lineal.backend.local import guard
        from lineal.backend.local.served import ServedBackend

        who = caller.name if caller else user
        context = replace(
            self.context,
            database=self.context.database.recorded(guard.recorder(caller, who)),
            entity=entity,
            project=project,
            user=who,
            host=host,
            served=True,
            caller=caller,
        )
        return ServedBackend(context, url=self.url)

    def check(self) -> None:
        """Does nothing where rows and bytes can be read. Raises unavailable.*, corrupt.*."""
        self.context.database.ping()
        self.blobs.store.ping()

    def connections(self) -> int:
        """How many connections to the rows are in use now."""
        return self.context.database.in_use()

    # Each noun is loaded when it is first asked for: a training process needs few of them.

    @cached_property
    def artifacts(self) -> Artifacts:  # type: ignore[override]
        from lineal.backend.local.artifacts import LocalArtifacts

        return LocalArtifacts(self.context)

    @cached_property
    def runs(self) -> Runs:  # type: ignore[override]
        from lineal.backend.local.runs import LocalRuns

        return LocalRuns(self.context)

    @cached_property
    def sweeps(self) -> Sweeps:  # type: ignore[override]
        from lineal.backend.local.sweeps import LocalSweeps

        return LocalSweeps(self.context)

    @cached_property
    def lineage(self) -> Lineage:  # type: ignore[override]
        from lineal.backend.local.lineage import LocalLineage

        return LocalLineage(self.context)

    @cached_property
    def store(self) -> Stores:  # type: ignore[override]
        from lineal.backend.local.upkeep import LocalStores

        return LocalStores(self.context)

    @cached_property
    def access(self) -> Access:  # type: ignore[override]
        from lineal.backend.local.access import LocalAccess

        return LocalAccess(self.context)

    @cached_property
    def signing_in(self) -> SigningIn:
        """Who asks, for a server over this store."""
        from lineal.backend.local.signing_in import SigningIn

        return SigningIn(self.context)

    @cached_property
    def vouched(self) -> VouchedSigningIn:
        """Signing in by OpenID Connect, for a server over this store."""
        from lineal.backend.local.vouched import VouchedSigningIn

        return VouchedSigningIn(self.context)

    def close(self) -> None:
        self.context.database.close()
