"""The use case of searching versions."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from lineal.backend.local.context import Context
from lineal.backend.port import Artifacts
from lineal.core import names
from lineal.core.errors import InvalidArgument
from lineal.core.names import parse_ref
from lineal.registry import versions
from lineal.registry.model import Version
from lineal.storage import digest as digests
from lineal.storage.manifest import Manifest


class LocalSearch(Artifacts):
    _here: Context

    def search(
        self,
        text: str = "",
        *,
        type: str | None = None,
        tag: str | None = None,
        metadata: Mapping[str, str] | None = None,
        digest: str | None = None,
        project: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Version]:
        names.check_limit(limit)
        last = None if after is None else _version_place(after)
        wanted = digests.parse(digest) if digest else None
        with self._here.database.read() as session:
            every = [p.version for p in versions.list_everywhere(session) if p.version.deleted_at is None]
        found = [
            version
            for version in every
            if version.entity == self._here.entity
            and (project is None or version.project == project)
            and (type is None or version.type == type)
            and (tag is None or tag in version.tags)
            and _text_matches(text, version)
            and all(_metadata_matches(version.metadata, k, v) for k, v in (metadata or {}).items())
        ]
        if wanted is not None:
            holding = self._manifests_with(wanted, {version.digest for version in found})
            found = [version for version in found if version.digest in holding]
        found.sort(key=lambda v: (v.project, v.collection, -v.number))
        return [v for v in found if last is None or (v.project, v.collection, -v.number) > last][:limit]

    def _manifests_with(self, wanted: digests.Digest, candidates: set[str]) -> set[str]:
        """Those of the manifests `candidates` that are `wanted`, or name it or refer to it."""
        text = digests.format(wanted)
        return {
            candidate
            for candidate in candidates
            if candidate == text or holds(self._here.manifests.stored(candidate), wanted)
        }


def holds(manifest: Manifest, wanted: digests.Digest) -> bool:
    """Whether a file of the manifest is that blob, or refers to bytes with that checksum."""
    text = digests.format(wanted)
    return wanted in manifest.blobs or any(e.reference and e.reference.checksum == text for e in manifest)


def _version_place(text: str) -> tuple[str, str, int]:
    ref = parse_ref(text)
    if ref.number is None:
        raise InvalidArgument(f"{ascii(text)[:80]} is no place in a list; write project/name:vN")
    return ref.project or "", ref.collection, -ref.number


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            flat |= flatten(item, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = item
    return flat


def _text_matches(text: str, version: Version) -> bool:
    if any(mark in text for mark in "*?["):
        return fnmatch.fnmatchcase(version.collection, text)
    return text.lower() in version.collection.lower() or text.lower() in version.description.lower()


def _metadata_matches(metadata: Mapping[str, Any], key: str, wanted: str) -> bool:
    flat = flatten(metadata)
    return key in flat and (str(flat[key]) == wanted or str(flat[key]).lower() == wanted.lower())
