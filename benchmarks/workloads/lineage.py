"""Ancestors in a graph of 10,000 runs and 20,000 artifacts: all of them, and those within 6 runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cell
import graph
import rows

_NEAR_RUNS = 6
_COLLECTIONS = 20
_BATCH = 2000


class Adapter:
    """A system with the graph in a store below `folder`."""

    def __init__(self, folder: Path, shape: graph.Graph) -> None:
        self.folder, self.shape = folder, shape
        self.open()

    def open(self) -> None:
        raise NotImplementedError

    def seed(self) -> None:
        """Stores the graph."""
        raise NotImplementedError

    def whole(self) -> int:
        """How many ancestors the last artifact has, runs and artifacts together."""
        raise NotImplementedError

    def near(self) -> int:
        """How many of them lie within 6 runs."""
        raise NotImplementedError


class Lineal(Adapter):
    """Its answers must be the ones that networkx gives for the same edges."""

    def open(self) -> None:
        import lineal
        from lineal.client.connection import connection

        os.environ["LINEAL_URL"] = str(self.folder / "store")
        self._lineal, self._backend = lineal, connection().backend
        number, collection = divmod(self.shape.last, _COLLECTIONS)
        self._ref = f"p/a{collection:02d}:v{number}"
        expected = self.folder / "expected.json"
        self._expected = json.loads(expected.read_text()) if expected.exists() else {}

    def seed(self) -> None:
        with self._lineal.init(project="p") as run:
            artifact = self._lineal.Artifact("a00", type="dataset")
            artifact.add("content", "file.txt")
            run.log_artifact(artifact)
        rows.clone(self.folder / "store/lineal.db", self._rows())
        expected = {
            "whole": graph.count_ancestors(self.shape),
            "near": graph.count_ancestors(self.shape, runs_deep=_NEAR_RUNS),
        }
        (self.folder / "expected.json").write_text(json.dumps(expected))

    def _rows(self) -> dict[str, list[rows.Change]]:
        artifacts = [(artifact, *divmod(artifact, _COLLECTIONS)) for artifact in range(self.shape.artifacts)]
        count = self.shape.artifacts // _COLLECTIONS + 1
        edges = [(run, artifact, 0) for run, artifact in self.shape.inputs]
        edges += [(run, artifact, 1) for run, artifact in self.shape.outputs]
        return {
            "runs": [{"id": run + 1, "run_id": f"r{run:07d}"} for run in range(self.shape.runs)],
            "collections": [{"id": c + 1, "name": f"a{c:02d}", "next_number": count} for c in range(_COLLECTIONS)],
            "versions": [
                {"id": a + 1, "collection_id": c + 1, "number": number, "run_id": a // 2 + 1}
                for a, number, c in artifacts
            ],
            "memberships": [
                {"collection_id": c + 1, "number": number, "version_id": a + 1} for a, number, c in artifacts
            ],
            "edges": [{"run_id": run + 1, "version_id": a + 1, "output": output} for run, a, output in edges],
        }

    def whole(self) -> int:
        return self._checked("whole", len(self._backend.lineage.reach(self._ref, up=True)))

    def near(self) -> int:
        return self._checked("near", len(self._backend.lineage.reach(self._ref, up=True, depth=_NEAR_RUNS)))

    def _checked(self, walk: str, count: int) -> int:
        expected = self._expected[walk]
        assert count == expected, f"{walk}: {count} ancestors, and networkx finds {expected}"
        return count


class MlMetadata(Adapter):
    """Its subgraph query passes at most 100 hops (50 runs), and hands back the start too."""

    def open(self) -> None:
        from ml_metadata.metadata_store import metadata_store
        from ml_metadata.proto import metadata_store_pb2

        self._pb: Any = metadata_store_pb2
        config = self._pb.ConnectionConfig()
        config.sqlite.filename_uri = str(self.folder / "metadata.db")
        config.sqlite.connection_mode = 3
        self._store = metadata_store.MetadataStore(config)

    def seed(self) -> None:
        pb, store = self._pb, self._store
        artifact_type = store.put_artifact_type(pb.ArtifactType(name="A"))
        run_type = store.put_execution_type(pb.ExecutionType(name="R"))
        artifacts = self._put(
            store.put_artifacts,
            [pb.Artifact(type_id=artifact_type, uri=str(number)) for number in range(self.shape.artifacts)],
        )
        runs = self._put(
            store.put_executions,
            [pb.Execution(type_id=run_type, name=f"r{number}") for number in range(self.shape.runs)],
        )
        kinds = ((self.shape.inputs, pb.Event.INPUT), (self.shape.outputs, pb.Event.OUTPUT))
        events = [
            pb.Event(artifact_id=artifacts[artifact], execution_id=runs[run], type=kind)
            for edges, kind in kinds
            for run, artifact in edges
        ]
        self._put(store.put_events, events)
        (self.folder / "start").write_text(str(artifacts[-1]))

    def _put(self, put: Callable[[list[Any]], list[int] | None], records: list[Any]) -> list[int]:
        made: list[int] = []
        for start in range(0, len(records), _BATCH):
            made += put(records[start : start + _BATCH]) or []
        return made

    def _reach(self, hops: int) -> int:
        query = self._pb.LineageSubgraphQueryOptions
        options = query(max_num_hops=hops, direction=query.UPSTREAM)
        options.starting_artifacts.filter_query = f"id = {(self.folder / 'start').read_text()}"
        found = self._store.get_lineage_subgraph(options, ["artifacts", "executions", "events"])
        return len(found.artifacts) + len(found.executions) - 1

    def whole(self) -> int:
        return self._reach(100)

    def near(self) -> int:
        return self._reach(2 * _NEAR_RUNS)


ADAPTERS: dict[str, Callable[[Path, graph.Graph], Adapter]] = {"lineal": Lineal, "mlmd": MlMetadata}


def main() -> None:
    """Seeds the store, or takes the median of some walks."""
    here = cell.parse()
    adapter = ADAPTERS[here.system](here.folder, graph.build(here.choose(full=10_000, quick=100)))
    if here.seed:
        adapter.seed()
        return
    for work, walk in (("lineage.whole", adapter.whole), ("lineage.near", adapter.near)):
        nodes = walk()
        seconds, count = cell.median_of(walk, times=here.choose(full=15, quick=3))
        here.record(work, seconds, count=count, nodes=nodes)


if __name__ == "__main__":
    main()
