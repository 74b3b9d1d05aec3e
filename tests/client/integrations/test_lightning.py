from argparse import Namespace
from pathlib import Path

import pytest

import lineal
from lineal.core.errors import InvalidArgument, MissingDependency
from tests.client.integrations.reading import model_versions, rows

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(lightning|pytorch_lightning|torch|torchmetrics)"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*number of training batches"),
]


@pytest.fixture
def ours(integration, framework):
    framework("lightning.pytorch")
    return integration("lightning", "lightning")


@pytest.fixture
def fit(ours, framework):
    """Fits a line to eight points for two epochs of two steps: `fit(logger)`; what comes back is the trainer."""
    torch, lightning = framework("torch"), framework("lightning.pytorch")

    class Line(lightning.LightningModule):
        def __init__(self, width=1, lr=0.1):
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(width, 1)

        def training_step(self, batch):
            loss = torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch):
            self.log("val_loss", torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

        def test_step(self, batch):
            self.log("test_loss", torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)

    def run(logger, test=False, callbacks=()):
        torch.manual_seed(0)
        x = torch.arange(8.0).reshape(8, 1) / 8
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, 3 * x), batch_size=4)
        trainer = lightning.Trainer(
            max_epochs=2,
            accelerator="cpu",
            logger=logger,
            log_every_n_steps=1,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=list(callbacks),
        )
        model = Line()
        trainer.fit(model, data, data)
        if test:
            trainer.test(model, data, verbose=False)
        return trainer

    return run


def test_a_fit_is_recorded_in_a_run_of_its_own(ours, fit):
    logger = ours.LinealLogger(project="lines", name="straight")
    fit(logger, test=True)
    run = logger.experiment
    assert lineal.run is run
    lineal.finish()
    assert (run.project, run.name, logger.name, logger.version) == ("lines", "straight", "lines", run.id)
    back = lineal.Api().run(run.path)
    assert back.state == "finished"
    assert (back.config["lr"], back.config["width"]) == (0.1, 1)
    assert [step for step, _ in rows(run.path, "trainer/global_step", "train_loss")] == [0, 1, 2, 3]
    assert [step for step, _ in rows(run.path, "trainer/global_step", "val_loss")] == [1, 3]
    assert back.summary["test_loss"] > 0
    assert list(Path("lines", run.id, "checkpoints").glob("*.ckpt"))


def test_the_current_run_is_used_and_not_finished_and_what_is_kept_at_the_end_is_an_artifact(ours, fit):
    with lineal.init(project="lines") as run:
        trainer = fit(ours.LinealLogger(log_model="end", model_name="line", save_dir="kept"))
        assert lineal.run is run
    (artifact,) = model_versions(run.path)
    assert artifact.name == "line:v0"
    assert artifact.aliases == ["last"]  # nothing is monitored, so none is best
    assert artifact.metadata["file"] == Path(trainer.checkpoint_callback.best_model_path).name
    assert Path(trainer.checkpoint_callback.dirpath).parts[:3] == ("kept", "lines", run.id)


def test_each_checkpoint_is_a_version_and_best_and_last_follow(ours, fit, framework):
    keep = framework("lightning.pytorch").callbacks.ModelCheckpoint(
        monitor="val_loss", save_top_k=-1, save_last=True, dirpath="checkpoints"
    )
    with lineal.init() as run:
        fit(ours.LinealLogger(log_model="checkpoint"), callbacks=[keep])
    scored = [artifact for artifact in model_versions(run.path) if artifact.metadata.get("score") is not None]
    scores = [artifact.metadata["score"] for artifact in scored]
    assert len(scores) >= 2
    best = lineal.Api().artifact(f"model-{run.id}:best")
    assert best.metadata["score"] == min(scores)
    assert lineal.Api().artifact(f"model-{run.id}:last").type == "model"


def test_hyperparameters_of_a_namespace_and_metrics_without_a_step_are_taken(ours):
    with lineal.init() as run:
        logger = ours.LinealLogger(prefix="big")
        logger.log_hyperparams(Namespace(lr=0.1, act=object()))
        logger.log_metrics({"loss": 1.0})
        logger.log_metrics({"loss": 0.5}, step=3)
        logger.finalize("failed")
    back = lineal.Api().run(run.path)
    assert dict(back.config) == {"lr": 0.1}
    assert [value for (value,) in rows(run.path, "big-loss")] == [1.0, 0.5]


def test_only_rank_zero_records(ours, framework, monkeypatch):
    rank_zero_only = framework("lightning.pytorch.utilities").rank_zero_only
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = ours.LinealLogger()
    logger.log_hyperparams({"lr": 1})
    logger.log_metrics({"loss": 1.0}, step=0)
    logger.experiment.log({"loss": 1})
    logger.finalize("success")
    assert (logger.name, logger.version, lineal.run) == (None, None, None)


def test_a_choice_that_is_none_is_refused(ours):
    with pytest.raises(InvalidArgument, match="'end', 'checkpoint' or None"):
        ours.LinealLogger(log_model="all")


def test_without_lightning_the_error_says_what_to_install(without):
    without("lightning", "pytorch_lightning", of="lightning")
    with pytest.raises(MissingDependency, match="pip install lightning"):
        import lineal.client.integrations.lightning  # noqa: F401
