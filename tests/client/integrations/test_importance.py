import lineal
from lineal.client.integrations.importance import log_importance


def test_features_are_a_chart_of_the_run():
    with lineal.init() as run:
        log_importance(run, {"idle": 0.1, "weighty": -0.9})
    assert "feature_importance" in lineal.Api().run(run.path).summary


def test_without_features_nothing_is_logged():
    with lineal.init() as run:
        log_importance(run, {})
    assert "feature_importance" not in lineal.Api().run(run.path).summary
