"""The error tree. Every error has a stable dotted `code`; its family gives the HTTP status and the exit code.

Families: Invalid 422/2, NotFound 404/3, Conflict 409/4, Unauthenticated 401/5, Forbidden 403/5, Corrupt 500/6,
Unavailable 503/7. A subclass adds only a code (and one of them the status 429). Codes are forever.
"""

from __future__ import annotations

from lineal.core.error import Conflict as Conflict
from lineal.core.error import Corrupt as Corrupt
from lineal.core.error import Error as Error
from lineal.core.error import Forbidden as Forbidden
from lineal.core.error import Invalid as Invalid
from lineal.core.error import NotFound as NotFound
from lineal.core.error import Unauthenticated as Unauthenticated
from lineal.core.error import Unavailable as Unavailable

# ---- invalid -------------------------------------------------------------------------------------------------


class InvalidName(Invalid):
    code = "invalid.name"


class InvalidRef(Invalid):
    code = "invalid.ref"


class AmbiguousRef(Invalid):
    code = "invalid.ambiguous_ref"


class InvalidAlias(Invalid):
    code = "invalid.alias"


class InvalidPath(Invalid):
    code = "invalid.path"


class PathCollision(Invalid):
    code = "invalid.path_collision"


class InvalidManifest(Invalid):
    code = "invalid.manifest"


class InvalidDigest(Invalid):
    code = "invalid.digest"


class InvalidObject(Invalid):
    code = "invalid.object"


class InvalidReference(Invalid):
    code = "invalid.reference"


class InvalidSettings(Invalid):
    code = "invalid.settings"


class InvalidSource(Invalid):
    """A file or folder to be logged is missing, unreadable, no regular file, or points outside its tree."""

    code = "invalid.source"


class InvalidTarget(Invalid):
    """A place to download to would lead outside the folder that was asked for."""

    code = "invalid.target"


class InvalidMetadata(Invalid):
    code = "invalid.metadata"


class EmptyArtifact(Invalid):
    code = "invalid.empty_artifact"


class InvalidFilter(Invalid):
    code = "invalid.filter"


class InvalidRows(Invalid):
    code = "invalid.rows"


class InvalidArgument(Invalid):
    code = "invalid.argument"


class InvalidPassword(Invalid):
    code = "invalid.password"


class InvalidTicket(Invalid):
    code = "invalid.ticket"


class InvalidSweep(Invalid):
    """A sweep's config can't be right, or what was asked of a sweep doesn't go with its config."""

    code = "invalid.sweep"


class InvalidMetric(Invalid):
    """A run ended without a number for a metric that its sweep needs."""

    code = "invalid.metric"


# ---- unauthenticated -----------------------------------------------------------------------------------------


class KeyRefused(Unauthenticated):
    """An API key is unknown, expired, revoked, or its user's who was disabled."""

    code = "unauthenticated.key"


class SessionEnded(Unauthenticated):
    code = "unauthenticated.session"


class LoginRefused(Unauthenticated):
    """The name and the password don't go together, or the set-up token is not the one that was made."""

    code = "unauthenticated.login"


# ---- forbidden -----------------------------------------------------------------------------------------------


class ForbiddenHost(Forbidden):
    code = "forbidden.host"


class ForbiddenMetrics(Forbidden):
    code = "forbidden.metrics"


class RoleTooSmall(Forbidden):
    code = "forbidden.role"


class ScopeTooSmall(Forbidden):
    """The API key is limited to less than its user may do."""

    code = "forbidden.scope"


class AliasProtected(Forbidden):
    code = "forbidden.alias"


class PlainHttp(Forbidden):
    """Whoever signs in over plain http gives their password to everybody on the way."""

    code = "forbidden.plain_http"


class CsrfRefused(Forbidden):
    """A browser's request doesn't show that our own page sent it, or shows that another did."""

    code = "forbidden.csrf"


# ---- not found -----------------------------------------------------------------------------------------------


class CollectionNotFound(NotFound):
    code = "not_found.collection"


class VersionNotFound(NotFound):
    code = "not_found.version"


class AliasNotFound(NotFound):
    code = "not_found.alias"


class RunNotFound(NotFound):
    code = "not_found.run"


class SweepNotFound(NotFound):
    code = "not_found.sweep"


class TrialNotFound(NotFound):
    code = "not_found.trial"


class ProjectNotFound(NotFound):
    code = "not_found.project"


class EntryNotFound(NotFound):
    code = "not_found.entry"


class BlobNotFound(NotFound):
    code = "not_found.blob"


class LinkNotFound(NotFound):
    code = "not_found.link"


class UserNotFound(NotFound):
    code = "not_found.user"


class TeamNotFound(NotFound):
    code = "not_found.team"


class KeyNotFound(NotFound):
    code = "not_found.key"


class GrantNotFound(NotFound):
    code = "not_found.grant"


class ProtectionNotFound(NotFound):
    code = "not_found.protection"


# ---- conflict ------------------------------------------------------------------------------------------------


class AliasMoved(Conflict):
    code = "conflict.alias_moved"


class TypeMismatch(Conflict):
    code = "conflict.type"


class VersionInUse(Conflict):
    code = "conflict.version_in_use"


class VersionPurged(Conflict):
    code = "conflict.version_purged"


class RunExists(Conflict):
    code = "conflict.run_exists"


class SweepExists(Conflict):
    code = "conflict.sweep_exists"


class SweepEnded(Conflict):
    code = "conflict.sweep_ended"


class RunStopped(Conflict):
    code = "conflict.run_stopped"


class ConfigChanged(Conflict):
    code = "conflict.config"


class RunInUse(Conflict):
    code = "conflict.run_in_use"


class RunFinished(Conflict):
    code = "conflict.run_finished"


class SourceChanged(Conflict):
    """A file changed between being added and being stored."""

    code = "conflict.source_changed"


class BlobsMissing(Conflict):
    """A manifest names blobs that the store doesn't hold (any more); push them and log again."""

    code = "conflict.blobs_missing"


class NotReproducible(Conflict):
    """A run can't be brought back as it was, or one of the steps that bring it back failed."""

    code = "conflict.not_reproducible"


class PlanOutdated(Conflict):
    code = "conflict.plan_outdated"


class StoreNotEmpty(Conflict):
    """A backup is restored only where no store is yet."""

    code = "conflict.store_not_empty"


class ArtifactLogged(Conflict):
    code = "conflict.artifact_logged"


class UserExists(Conflict):
    code = "conflict.user_exists"


class TeamExists(Conflict):
    code = "conflict.team_exists"


class LastAdmin(Conflict):
    """Nobody would be left who may administer the server."""

    code = "conflict.last_admin"


class AlreadySetUp(Conflict):
    code = "conflict.already_set_up"


# ---- corrupt -------------------------------------------------------------------------------------------------


class DigestMismatch(Corrupt):
    code = "corrupt.digest_mismatch"


class CorruptPack(Corrupt):
    code = "corrupt.pack"


class CorruptManifest(Corrupt):
    code = "corrupt.manifest"


class CorruptRows(Corrupt):
    code = "corrupt.rows"


class CorruptBackup(Corrupt):
    code = "corrupt.backup"


class CorruptDatabase(Corrupt):
    code = "corrupt.database"


# ---- unavailable ---------------------------------------------------------------------------------------------


class AddressInUse(Unavailable):
    code = "unavailable.address"


class StoreUnavailable(Unavailable):
    code = "unavailable.store"


class ClockWrong(Unavailable):
    """This machine's clock and its database's differ by minutes; `details["ahead_s"]`: so much is ours ahead."""

    code = "unavailable.clock"


class DiskFull(Unavailable):
    code = "unavailable.disk_full"


class ReadOnly(Unavailable):
    code = "unavailable.read_only"


class NewerFormat(Unavailable):
    code = "unavailable.newer_format"


class OlderFormat(Unavailable):
    """A shared database has a former format; whoever runs the servers upgrades it with `lineal server migrate`."""

    code = "unavailable.older_format"


class DatabaseBusy(Unavailable):
    code = "unavailable.database_busy"


class MissingDependency(Unavailable):
    code = "unavailable.dependency"


class ReferenceUnavailable(Unavailable):
    code = "unavailable.reference"


class TooManyAttempts(Unavailable):
    """Somebody tried to sign in too often; `details["retry_after_s"]` says how long to wait."""

    code, http_status = "unavailable.too_many_attempts", 429


class TooBusy(Unavailable):
    code = "unavailable.busy"
