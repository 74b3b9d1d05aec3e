import pytest

import lineal
from lineal.core.errors import InvalidArgument, MissingDependency
from tests.client.integrations.reading import model_versions, rows

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture
def ours(integration):
    return integration("keras", "keras")


@pytest.fixture
def fit(ours, framework):
    """Fits a line to eight points for two epochs of two batches: `fit(callback)`; what comes back is the model."""
    keras, numpy = framework("keras"), framework("numpy")

    def run(*callbacks, **arguments):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)], name="line")
        model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), loss="mse", metrics=["mae"])
        x = numpy.arange(8, dtype="float32").reshape(8, 1) / 8
        given = {"epochs": 2, "batch_size": 4, "validation_data": (x, 3 * x), "verbose": 0}
        model.fit(x, 3 * x, callbacks=list(callbacks), **(given | arguments))
        model.evaluate(x, 3 * x, callbacks=list(callbacks), verbose=0)
        return model

    return run


def test_a_fit_is_recorded_in_a_run_of_its_own(ours, fit):
    fit(ours.LinealCallback(project="lines", name="straight", log_every=2))
    run = lineal.run
    lineal.finish()
    assert (run.project, run.name, run.job_type) == ("lines", "straight", "train")
    back = lineal.Api().run(run.path)
    config = back.config
    assert (config["epochs"], config["model"], config["parameters"]) == (2, "line", 2)
    assert config["optimizer"]["class"] == "SGD"
    assert config["optimizer"]["learning_rate"] == pytest.approx(0.1)
    epochs = rows(run.path, "epoch/epoch", "epoch/loss", "epoch/val_loss", "epoch/mae")
    assert [epoch for epoch, *_ in epochs] == [0, 1]
    assert epochs[1][2] < epochs[0][2]
    assert [rate for (rate,) in rows(run.path, "epoch/learning_rate")] == pytest.approx([0.1, 0.1])
    assert [batch for batch, _ in rows(run.path, "batch/batch", "batch/loss")] == [2, 4]
    assert back.summary["test/loss"] > 0


def test_a_schedule_shows_in_the_learning_rate(ours, fit, framework):
    schedule = framework("keras").callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (epoch + 1))
    with lineal.init() as run:
        fit(schedule, ours.LinealCallback())
    assert [rate for (rate,) in rows(run.path, "epoch/learning_rate")] == pytest.approx([0.1, 0.05])


def test_the_current_run_is_used_and_not_finished_and_the_model_at_the_end_is_an_artifact(ours, fit, framework):
    keras, numpy = framework("keras"), framework("numpy")
    with lineal.init() as run:
        model = fit(ours.LinealCallback(log_model="end", model_name="line"))
        assert lineal.run is run
    (artifact,) = model_versions(run.path)
    assert artifact.name == "line:v0"
    assert artifact.aliases == ["final"]
    again = keras.saving.load_model(artifact.file())
    x = numpy.ones((1, 1), dtype="float32")
    assert float(again.predict(x, verbose=0)[0, 0]) == pytest.approx(float(model.predict(x, verbose=0)[0, 0]))


@pytest.mark.parametrize(("mode", "best"), [("min", min), ("max", max)])
def test_each_epoch_is_a_version_and_best_follows_what_is_monitored(ours, fit, mode, best):
    with lineal.init() as run:
        fit(ours.LinealCallback(log_model="checkpoint", mode=mode), epochs=3)
    versions = model_versions(run.path)
    assert [artifact.metadata["epoch"] for artifact in versions] == [0, 1, 2]
    losses = [artifact.metadata["val_loss"] for artifact in versions]
    assert lineal.Api().artifact(f"model-{run.id}:best").version_number == losses.index(best(losses))
    assert lineal.Api().artifact(f"model-{run.id}:epoch-1").version == "v1"


def test_what_is_not_monitored_is_never_best(ours, fit):
    with lineal.init() as run:
        fit(ours.LinealCallback(log_model="checkpoint", monitor="accuracy"), epochs=1)
    assert model_versions(run.path)[0].aliases == ["epoch-0"]


@pytest.mark.parametrize("given", [{"log_model": "best"}, {"mode": "auto"}, {"log_every": 0}])
def test_choices_that_are_none_are_refused(ours, given):
    with pytest.raises(InvalidArgument):
        ours.LinealCallback(**given)


def test_without_keras_the_error_says_what_to_install(without):
    without("keras", of="keras")
    with pytest.raises(MissingDependency, match="pip install keras"):
        import lineal.client.integrations.keras  # noqa: F401
