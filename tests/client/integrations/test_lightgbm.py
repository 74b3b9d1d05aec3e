import pytest

import lineal
from lineal.core.errors import MissingDependency, RunNotFound
from tests.client.integrations.reading import model_versions, rows


@pytest.fixture
def ours(integration):
    return integration("lightgbm", "lightgbm")


@pytest.fixture
def data(framework):
    """Eighty points of two features, the first of which says the class."""
    numpy = framework("numpy")
    x = numpy.random.default_rng(0).random((80, 2))
    return x, (x[:, 0] > 0.5).astype(int)


@pytest.fixture
def train(ours, framework, data):
    """Trains a booster with the callbacks: `train([callback], rounds=5)`."""
    lightgbm = framework("lightgbm")

    def run(callbacks, rounds=5):
        x, y = data
        dataset = lightgbm.Dataset(x[:60], y[:60], feature_name=["weighty", "idle"])
        params = {"objective": "binary", "num_leaves": 3, "num_threads": 1, "verbosity": -1}
        valid = {"valid_sets": [dataset.create_valid(x[60:], y[60:])], "valid_names": ["valid"]}
        return lightgbm.train(params, dataset, rounds, callbacks=callbacks, **valid)

    return run


def test_a_training_is_recorded_in_a_run_of_its_own(ours, train):
    train([ours.LinealCallback(project="points", name="trees")])
    run = lineal.run
    lineal.finish()
    assert (run.project, run.name, run.job_type) == ("points", "trees", "train")
    back = lineal.Api().run(run.path)
    assert back.state == "finished"
    assert (back.config["num_leaves"], back.config["objective"]) == (3, "binary")
    found = rows(run.path, "iteration", "valid/binary_logloss")
    assert [iteration for iteration, _ in found] == [0, 1, 2, 3, 4]
    assert found[4][1] < found[0][1]


def test_the_next_training_gets_a_run_of_its_own(ours, train):
    callback = ours.LinealCallback()
    train([callback])
    first = lineal.run
    train([callback])
    assert lineal.run.id != first.id
    assert lineal.Api().run(first.path).state == "finished"


def test_the_booster_is_an_artifact_and_its_best_iteration_in_the_summary(ours, train, framework, data):
    lightgbm = framework("lightgbm")
    with lineal.init() as run:
        booster = train([lightgbm.early_stopping(2, verbose=False, min_delta=0.05), ours.LinealCallback()], rounds=60)
        artifact = ours.log_booster(booster, "trees")
        assert lineal.run is run
    assert 0 < booster.best_iteration < 60
    assert len(rows(run.path, "valid/binary_logloss")) == booster.best_iteration + 2
    summary = lineal.Api().run(run.path).summary
    assert summary["best_iteration"] == artifact.metadata["best_iteration"] == booster.best_iteration
    assert "feature_importance" in summary
    (artifact,) = model_versions(run.path)
    assert (artifact.name, artifact.aliases) == ("trees:v0", ["final"])
    again = lightgbm.Booster(model_file=artifact.file())
    assert again.predict(data[0]) == pytest.approx(booster.predict(data[0]))


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_the_classes_for_scikit_learn_take_it_too(ours, framework, data):
    model = framework("lightgbm").LGBMClassifier(n_estimators=3, n_jobs=1, verbosity=-1)
    with lineal.init() as run:
        model.fit(*data, eval_set=[data], callbacks=[ours.LinealCallback()])
        ours.log_booster(model, importance=None)
    assert len(rows(run.path, "iteration", "training/binary_logloss")) == 3
    assert [artifact.name for artifact in model_versions(run.path)] == [f"model-{run.id}:v0"]


def test_cross_validation_logs_mean_and_deviation(ours, framework, data):
    lightgbm = framework("lightgbm")
    params = {"objective": "binary", "num_threads": 1, "verbosity": -1}
    with lineal.init() as run:
        scores = lightgbm.cv(params, lightgbm.Dataset(*data), 3, nfold=2, callbacks=[ours.LinealCallback()])
    means = [mean for mean, _ in rows(run.path, "valid/binary_logloss", "valid/binary_logloss-std")]
    assert means == pytest.approx(scores["valid binary_logloss-mean"])


def test_a_booster_needs_a_run(ours, train):
    booster = train([])
    with pytest.raises(RunNotFound, match=r"lineal\.init"):
        ours.log_booster(booster)


def test_without_lightgbm_the_error_says_what_to_install(without):
    without("lightgbm", of="lightgbm")
    with pytest.raises(MissingDependency, match="pip install lightgbm"):
        import lineal.client.integrations.lightgbm  # noqa: F401
