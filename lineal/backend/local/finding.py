"""Use cases of comparing versions and of finding them by what they hold."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from lineal.backend.local.context import Context
from lineal.backend.port import Artifacts, Difference, EntryChange
from lineal.core import names
from lineal.core.errors import InvalidArgument
from lineal.core.names import parse_ref
from lineal.registry import versions
from lineal.registry.model import Version
from lineal.storage import digest as digests
from lineal.storage.manifest import Manifest


class LocalFinding(Artifacts):
    _here: Context

    def diff(self, before: str, after: str) -> Difference:
        old, new = self.resolve(before), self.resolve(after)
        left, right = self.manifest(old.digest).by_path, self.manifest(new.digest).by_path
        changes = [EntryChange(path, "removed", entry.size) for path, entry in left.items() if path not in right]
        changes += [EntryChange(path, "added", None, entry.size) for path, entry in right.items() if path not in left]
        common = [path for path in left if path in right]
        changed = [path for path in common if left[path][1:] != right[path][1:]]
        changes += [EntryChange(path, "changed", left[path].size, right[path].size) for path in changed]
        return Difference(
            old,
            new,
            tuple(sorted(changes, key=lambda c: c.path)),
            len(common) - len(changed),
            _compared(old.metadata, new.metadata),
        )

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
        last = None if after is None else _place(after)
        wanted = digests.parse(digest) if digest else None
        with self._here.database.read() as session:
            seen = self._here.sight(session)
            placed = versions.list_everywhere(session, entity=self._here.entity, project=project, type=type)
        found = [
            version
            for version in (one.version for one in placed)
            if version.deleted_at is None
            and seen.has(version)
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


def _compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    left, right = flatten(before), flatten(after)
    keys = sorted(left.keys() | right.keys())
    return {key: (left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)}


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


def _place(text: str) -> tuple[str, str, int]:
    """The place of `project/collection:vN` in the order of what is found."""
    ref = parse_ref(text)
    if ref.number is None:
        raise InvalidArgument(f"{ascii(text)[:80]} is no place in a list; write project/name:vN")
    return ref.project or "", ref.collection, -ref.number
