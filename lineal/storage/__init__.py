"""Bytes under their digests: manifests, blobs, packs, the index of where each blob lies, transfer, cache and gc.

This room has never heard of runs, versions or aliases. Only `index` touches the database; only `blobs` and `cache`
know that a store may be a local folder.
"""
