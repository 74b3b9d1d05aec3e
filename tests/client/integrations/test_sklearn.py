import pytest

import lineal
from lineal.core.errors import InvalidArgument, MissingDependency, RunNotFound
from tests.client.integrations.reading import model_versions


@pytest.fixture
def ours(integration):
    return integration("sklearn", "sklearn")


@pytest.fixture
def digits(framework):
    """Images of the digits 0, 1 and 2, and which they show."""
    x, y = framework("sklearn.datasets").load_digits(n_class=3, return_X_y=True)
    return x[:150], y[:150]


@pytest.fixture
def pipeline(framework):
    framework("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.5))


def test_parameters_are_config_under_one_key(ours, pipeline):
    with lineal.init(config={"seed": 1}) as run:
        ours.log_estimator(pipeline)
        ours.log_estimator(pipeline[-1], run, key="last")
    config = lineal.Api().run(run.path).config
    assert config["seed"] == 1
    assert config["estimator"]["class"] == "sklearn.Pipeline"
    assert config["estimator"]["logisticregression__C"] == config["last"]["C"] == 0.5
    assert "steps" not in config["estimator"]


def test_of_a_classifier_come_scores_curves_and_the_weight_of_its_features(ours, pipeline, digits):
    pipeline.fit(*digits)
    with lineal.init() as run:
        scores = ours.log_evaluation(pipeline, *digits, labels=["zero", "one", "two"])
    assert set(scores) == {"accuracy", "precision", "recall", "f1", "log_loss", "roc_auc"}
    assert scores["accuracy"] > 0.95
    summary = lineal.Api().run(run.path).summary
    assert {f"eval/{name}": summary[f"eval/{name}"] for name in scores} == {
        f"eval/{name}": pytest.approx(value) for name, value in scores.items()
    }
    for plot in ("confusion_matrix", "roc", "pr", "feature_importance"):
        assert f"eval/{plot}" in summary


def test_of_two_classes_the_second_is_the_one_to_find(ours, framework):
    sklearn = framework("sklearn.dummy")
    x, y = [[0]] * 4, ["no", "no", "no", "yes"]
    with lineal.init():
        scores = ours.log_evaluation(sklearn.DummyClassifier().fit(x, y), x, y, prefix="dummy")
    assert (scores["accuracy"], scores["recall"], scores["roc_auc"]) == (0.75, 0.0, 0.5)


def test_classes_that_the_estimator_has_never_seen_are_no_reason_to_fail(ours, framework):
    sklearn = framework("sklearn.dummy")
    estimator = sklearn.DummyClassifier().fit([[0], [0], [0]], ["a", "b", "b"])
    with lineal.init() as run:
        scores = ours.log_evaluation(estimator, [[0], [0]], ["b", "c"])
    assert set(scores) == {"accuracy", "precision", "recall", "f1"}
    assert scores["accuracy"] == 0.5
    assert "eval/roc" not in lineal.Api().run(run.path).summary


def test_an_estimator_without_probabilities_has_no_curves(ours, framework, digits):
    estimator = framework("sklearn.svm").LinearSVC().fit(*digits)
    with lineal.init() as run:
        assert "log_loss" not in ours.log_evaluation(estimator, *digits)
    summary = lineal.Api().run(run.path).summary
    assert "eval/confusion_matrix" in summary
    assert "eval/roc" not in summary


def test_of_a_regressor_come_its_errors(ours, framework):
    estimator = framework("sklearn.linear_model").LinearRegression().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 3.0])
    with lineal.init() as run:
        scores = ours.log_evaluation(estimator, [[0.0], [1.0]], [0.0, 1.0], prefix="validation")
    assert set(scores) == {"r2", "mae", "rmse", "median_error"}
    assert scores["mae"] > 0
    assert lineal.Api().run(run.path).summary["validation/mae"] == pytest.approx(scores["mae"])


def test_features_have_the_names_that_the_last_step_sees(ours, framework, digits):
    trees = framework("sklearn.ensemble").RandomForestClassifier(n_estimators=2, random_state=0)
    selection = framework("sklearn.feature_selection")
    made = framework("sklearn.pipeline").make_pipeline(selection.VarianceThreshold(threshold=30), trees).fit(*digits)
    names = list(ours.feature_importance(made))
    assert 1 < len(names) < 64
    assert names[0] != "x0"
    assert sum(ours.feature_importance(trees).values()) == pytest.approx(1)
    assert ours.feature_importance(framework("sklearn.dummy").DummyClassifier()) == {}


def test_what_is_neither_or_has_several_targets_is_refused(ours, framework, pipeline, digits):
    scaler = framework("sklearn.preprocessing").StandardScaler()
    pipeline.fit(*digits)
    with lineal.init():
        with pytest.raises(InvalidArgument, match="neither a classifier nor a regressor"):
            ours.log_evaluation(scaler, *digits)
        with pytest.raises(InvalidArgument, match="one target"):
            ours.log_evaluation(pipeline, digits[0], digits[0])
        with pytest.raises(InvalidArgument, match="labels names 2 classes, but the estimator has 3"):
            ours.log_evaluation(pipeline, *digits, labels=["a", "b"])


def test_an_estimator_is_an_artifact_that_is_read_back_without_running_its_code(ours, framework, pipeline, digits):
    skops = framework("skops.io")
    pipeline.fit(*digits)
    with lineal.init() as run:
        ours.log_model(pipeline, "digits", aliases=["candidate"], metadata={"note": "small"})
    (artifact,) = model_versions(run.path)
    assert (artifact.name, artifact.aliases) == ("digits:v0", ["candidate"])
    assert artifact.metadata["class"] == "sklearn.Pipeline"
    assert (artifact.metadata["untrusted_types"], artifact.metadata["note"]) == ([], "small")
    again = skops.load(artifact.file(), trusted=artifact.metadata["untrusted_types"])
    assert (again.predict(digits[0]) == pipeline.predict(digits[0])).all()


def test_without_a_run_each_says_what_to_do(ours, pipeline):
    for act in (
        lambda: ours.log_estimator(pipeline),
        lambda: ours.log_evaluation(pipeline, [[0]], [0]),
        lambda: ours.log_model(pipeline),
    ):
        with pytest.raises(RunNotFound, match=r"lineal\.init"):
            act()


def test_without_skops_a_model_is_refused_and_nothing_is_pickled(ours, without, pipeline):
    without("skops", of="none")
    with lineal.init() as run, pytest.raises(MissingDependency, match="pip install skops"):
        ours.log_model(pipeline)
    assert model_versions(run.path) == []


def test_without_scikit_learn_the_error_says_what_to_install(without):
    without("sklearn", of="sklearn")
    with pytest.raises(MissingDependency, match="pip install scikit-learn"):
        import lineal.client.integrations.sklearn  # noqa: F401
