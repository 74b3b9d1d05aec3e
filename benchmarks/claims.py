"""What we claim, as data: each work, the peer it is measured against in the same run, and the ratio to reach."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Claim:
    """Lineal's median for `work` is at most `ratio` times the peer's, for `against` if that is another work of its.

    What is compared are seconds, or what `FACTS` says for that work. `most` bounds what else is measured along with it, such as the bytes that are new on disk.
    """

    work: str
    title: str
    peer: str
    ratio: float
    against: str = ""
    most: dict[str, float] = field(default_factory=dict)

    @property
    def peer_work(self) -> str:
        return self.against or self.work


MOST_MEMORY_MB = 200

CLAIMS = (
    Claim("file.put", "one 2 GiB file: add and log", "trackio", 0.5),
    Claim("file.put_again", "the same again, unchanged", "dvc", 0.1),
    Claim("file.get", "download it cold, verified, by copy", "trackio", 1.4),
    Claim("file.link", "by link, on the machine that logged it", "trackio", 0.05, against="file.get"),
    Claim("file.link_cold", "by link, on one that has to verify it", "trackio", 0.05, against="file.get"),
    Claim("file.link_elsewhere", "by link once more, into another folder", "trackio", 0.05, against="file.get"),
    Claim("tree.put", "20,000 files of 1–8 KiB: add_dir and log", "trackio", 0.2, most={"objects": 20}),
    Claim("tree.put_again", "the same again, unchanged", "dvc", 0.07),
    Claim("tree.put_changed", "with 100 files changed", "dvc", 0.12, most={"bytes": 1.5e6}),
    Claim("tree.get", "download them cold", "aim", 0.35),
    Claim("tree.get_elsewhere", "download them warm, into another folder", "aim", 0.05),
    Claim("tree.get_again", "download them warm, into the same folder", "aim", 0.05),
    Claim("registry.resolve", "resolve an alias, 1,000 models × 20 versions", "mlflow", 0.1),
    Claim("registry.move", "move an alias, durable", "trackio", 0.2),
    Claim("search.top", "top 50 of 20,000 runs: filter by config and metric, sort by a metric", "mlflow", 0.02),
    Claim("lineage.whole", "ancestors among 10,000 runs, 20,000 artifacts: whole", "mlmd", 0.2),
    Claim("lineage.near", "within 6 runs", "mlmd", 0.15),
    Claim("start.import", "import", "trackio", 0.12),
    Claim("start.run", "cold process: import, open a run, end it", "trackio", 0.6),
    Claim("log.step", "log 10 scalars, in the training thread", "trackio", 0.15),
    Claim("log.durable", "10,000 steps of 10 scalars until durable", "trackio", 0.5),
    Claim(
        "log.long.durable",
        "100,000 steps of 10 scalars until durable",
        "trackio",
        0.2,
        most={"bytes": 6.6e6, "peak_mb": 150},
    ),
    Claim("s3.tree.put", "20,000 files of 1–8 KiB to S3", "lineal", 0.1, against="s3.tree.put.boto3"),
    Claim("s3.tree.get", "and back", "lineal", 0.1, against="s3.tree.get.boto3"),
    Claim("s3.tree.put.server", "20,000 files to S3 by a server", "lineal", 0.1, against="s3.tree.put.boto3"),
    Claim("s3.tree.get.server", "and back", "lineal", 0.1, against="s3.tree.get.boto3"),
    Claim("s3.file.put", "one 2 GiB file to S3", "lineal", 1.11, against="s3.file.put.boto3"),
    Claim("s3.file.get", "and back, verified", "lineal", 1.11, against="s3.file.get.boto3"),
    Claim("s3.file.put.server", "one 2 GiB file to S3 by a server", "lineal", 1.11, against="s3.file.put.boto3"),
    Claim("s3.file.get.server", "and back, verified", "lineal", 1.11, against="s3.file.get.boto3"),
    Claim("http.resolve", "over HTTP, 8 clients at once, a request each", "mlflow", 0.25),
    Claim("http.resolve.p99", "the slowest hundredth of them waits", "mlflow", 0.3),
    Claim("http.log.durable", "10,000 steps of 10 scalars over HTTP until durable", "mlflow", 0.02),
    Claim("http.start", "a server's start until it is ready", "mlflow", 0.3),
    Claim("curves.read", "1 key of 50 runs of 100,000 steps, as 1,000 points", "lineal", 1.5, against="curves.arrow"),
    Claim("sweeps.branin", "Branin, 30 trials: regret, against optuna's Gaussian process", "optuna", 1),
    Claim("sweeps.hartmann6", "Hartmann-6, the same", "optuna", 1),
    Claim("sweeps.branin.four", "Branin, four trials at a time, against one", "lineal", 1.5, against="sweeps.branin"),
    Claim("sweeps.hartmann6.four", "Hartmann-6, the same", "lineal", 1.5, against="sweeps.hartmann6"),
    Claim("sweeps.svr", "support vectors, a table: regret, against optuna's TPE", "optuna", 1, "sweeps.svr.tpe"),
    Claim("sweeps.mlp", "a perceptron, a table: the same", "optuna", 1, "sweeps.mlp.tpe"),
    Claim("sweeps.suggest.20", "a suggestion after 20 trials in 7 dimensions", "optuna", 1),
    Claim("sweeps.suggest.100", "after 100", "optuna", 0.8),
    Claim("sweeps.suggest.300", "after 300", "optuna", 0.6),
    Claim("sweeps.stop", "hyperband: iterations, against all", "lineal", 0.4, "sweeps.stop.all", most={"worse": 0}),
    Claim(
        "sweeps.agents", "four agents and a store, the same", "lineal", 0.5, "sweeps.agents.all", most={"worse": 0}
    ),
)

FACTS = {"sweeps.branin": "regret", "sweeps.hartmann6": "regret", "sweeps.svr": "regret", "sweeps.mlp": "regret"}
FACTS |= {
    "sweeps.stop": "iterations",
    "sweeps.agents": "iterations",
}  # what counts in a work and those named after it, where it isn't seconds


def fact(work: str) -> str:
    """What was measured."""
    return next((fact for name, fact in FACTS.items() if f"{work}.".startswith(f"{name}.")), "seconds")


ALSO = {
    "s3.tree.put.boto3": "20,000 files to S3, one PUT each by boto3 on 32 threads",
    "s3.tree.get.boto3": "and back, one GET each",
    "s3.file.put.boto3": "the 2 GiB file to S3 by boto3's upload_file",
    "s3.file.get.boto3": "and back by download_file, unverified",
    "http.resolve.median": "what half of the 8 clients' requests wait at most",
    "http.resolve.alone": "the same where one client asks",
    "http.runs.acknowledged": "200 runs at once, a step of 10 scalars each a second: half are acknowledged within",
    "http.runs.acknowledged.p99": "and all but a hundredth within",
    "http.versions": "1,000 versions of one collection by 16 clients over HTTP: each",
    "http.resolving": "64 clients resolve `production` over HTTP: a request each",
    "http.resolving.p99": "the slowest hundredth of them waits",
    "http.log.step": "log 10 scalars in the training thread, over HTTP",
    "log.long.step": "log 10 scalars, over 100,000 steps",
    "curves.arrow": "the same read of plain Parquet files by pyarrow and numpy",
    "registry.read": "resolve an alias through the SDK",
    "file.get_elsewhere": "download the 2 GiB file once more, into another folder",
    "file.get_again": "download it once more, into the same folder",
    "sweeps.branin.tpe": "Branin by a tree of Parzen estimators",
    "sweeps.hartmann6.tpe": "Hartmann-6 by it",
    "sweeps.branin.random": "Branin by chance",
    "sweeps.hartmann6.random": "Hartmann-6 by chance",
    "sweeps.branin.four.tpe": "Branin by a tree of Parzen estimators, four trials at a time",
    "sweeps.hartmann6.four.tpe": "Hartmann-6 by it, four trials at a time",
    "sweeps.svr.tpe": "support vectors by it",
    "sweeps.svr.random": "support vectors by chance",
    "sweeps.mlp.tpe": "a perceptron by a tree of Parzen estimators",
    "sweeps.mlp.random": "a perceptron by chance",
    "sweeps.suggest.20.tpe": "a suggestion after 20 trials, by a tree of Parzen estimators",
    "sweeps.suggest.100.tpe": "after 100",
    "sweeps.suggest.300.tpe": "after 300",
    "sweeps.stop.all": "learning curves, all to the end: iterations",
    "sweeps.agents.all": "by the agents, all to the end: iterations",
}

THEIRS = {"sweeps.stop.halving": "the same by optuna's other pruner"}  # which only peers have

LIMITS = {
    "limits.hash": "sha256 of the 2 GiB file",
    "limits.copy": "copy of it by the kernel (without sync)",
    "limits.sync": "fsync of 4 KiB",
    "limits.list": "listing the 20,000 files with their sizes",
}
