import json

import pytest

import lineal
from lineal.core.errors import InvalidArgument, MissingDependency
from tests.client.integrations.reading import model_versions, rows


@pytest.fixture
def ours(integration):
    return integration("xgboost", "xgboost")


@pytest.fixture
def data(framework):
    """Sixty points of two features, the first of which says the class."""
    numpy = framework("numpy")
    x = numpy.random.default_rng(0).random((60, 2))
    return x, (x[:, 0] > 0.5).astype(int)


@pytest.fixture
def train(ours, framework, data):
    """Trains a booster with the callbacks: `train([callback], rounds=5)`."""
    xgboost = framework("xgboost")

    def run(callbacks, rounds=5):
        matrix = xgboost.DMatrix(*data, feature_names=["weighty", "idle"])
        params = {"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "max_depth": 2, "nthread": 1}
        evals = [(matrix, "train"), (matrix, "validation")]
        return xgboost.train(params, matrix, rounds, evals=evals, callbacks=callbacks, verbose_eval=False)

    return run


def test_a_training_is_recorded_in_a_run_of_its_own(ours, train):
    train([ours.LinealCallback(project="points", name="trees")])
    run = lineal.run
    lineal.finish()
    assert (run.project, run.name, run.job_type) == ("points", "trees", "train")
    back = lineal.Api().run(run.path)
    assert back.state == "finished"
    assert (back.config["max_depth"], back.config["objective"]) == (2, "binary:logistic")
    found = rows(run.path, "iteration", "train/logloss", "validation/logloss", "validation/error")
    assert [iteration for iteration, *_ in found] == [0, 1, 2, 3, 4]
    assert found[4][2] < found[0][2]
    assert "feature_importance" in back.summary
    assert model_versions(run.path) == []


@pytest.mark.parametrize("format", ["ubj", "json"])
def test_the_current_run_is_used_and_the_booster_at_the_end_is_an_artifact(ours, train, framework, data, format):
    xgboost = framework("xgboost")
    with lineal.init() as run:
        booster = train([ours.LinealCallback(log_model=format, model_name="trees", importance=None)])
        assert lineal.run is run
    assert "feature_importance" not in lineal.Api().run(run.path).summary
    (artifact,) = model_versions(run.path)
    assert artifact.name == "trees:v0"
    again = xgboost.Booster(model_file=artifact.file())
    matrix = xgboost.DMatrix(data[0], feature_names=["weighty", "idle"])
    assert (again.predict(matrix) == booster.predict(matrix)).all()


def test_no_row_is_missing_where_another_callback_stops_the_training_before_ours(ours, train, framework):
    stop = framework("xgboost").callback.EarlyStopping(rounds=2, data_name="validation", metric_name="error")
    with lineal.init() as run:
        booster = train([stop, ours.LinealCallback(log_model="json")], rounds=50)
    assert len(rows(run.path, "validation/error")) == booster.num_boosted_rounds() < 50
    summary = lineal.Api().run(run.path).summary
    assert summary["best_iteration"] == booster.best_iteration
    assert summary["best_score"] == pytest.approx(booster.best_score)
    assert model_versions(run.path)[0].metadata["best_iteration"] == booster.best_iteration


def test_cross_validation_logs_mean_and_deviation(ours, framework, data):
    xgboost = framework("xgboost")
    with lineal.init() as run:
        frame_or_dict = xgboost.cv(
            {"objective": "binary:logistic", "nthread": 1},
            xgboost.DMatrix(*data),
            3,
            nfold=2,
            as_pandas=False,
            callbacks=[ours.LinealCallback()],
        )
    means = [mean for mean, _ in rows(run.path, "test/logloss", "test/logloss-std")]
    assert means == pytest.approx(frame_or_dict["test-logloss-mean"])


def test_the_classes_for_scikit_learn_take_it_too(ours, framework, data):
    model = framework("xgboost").XGBClassifier(n_estimators=3, n_jobs=1, callbacks=[ours.LinealCallback()])
    with lineal.init() as run:
        model.fit(*data, eval_set=[data], verbose=False)
    assert len(rows(run.path, "iteration", "validation_0/logloss")) == 3


def test_a_search_may_copy_it_with_the_estimator(ours, framework, data):
    search = framework("sklearn.model_selection").GridSearchCV
    with lineal.init() as run:
        model = framework("xgboost").XGBClassifier(n_estimators=2, n_jobs=1, callbacks=[ours.LinealCallback(run=run)])
        search(model, {"max_depth": [1, 2]}, cv=2).fit(*data, eval_set=[data], verbose=False)
    assert len(rows(run.path, "iteration", "validation_0/logloss")) == 10  # two depths, two folds, and the best again


def test_of_equal_parameters_the_config_keeps_numbers_as_numbers(ours, framework, data):
    xgboost = framework("xgboost")
    booster = xgboost.train({"eta": 0.25, "nthread": 1}, xgboost.DMatrix(*data), 1)
    config = ours._config(booster)
    assert config["eta"] == config.get("learning_rate", 0.25) == 0.25
    assert json.loads(json.dumps(config)) == config


def test_a_format_that_is_none_is_refused(ours):
    with pytest.raises(InvalidArgument, match="'ubj', 'json' or None"):
        ours.LinealCallback(log_model="pickle")


def test_without_xgboost_the_error_says_what_to_install(without):
    without("xgboost", of="xgboost")
    with pytest.raises(MissingDependency, match="pip install xgboost"):
        import lineal.client.integrations.xgboost  # noqa: F401
