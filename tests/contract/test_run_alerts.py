from dataclasses import replace

import pytest

from lineal.core import clock
from lineal.core.errors import InvalidArgument
from lineal.tracking.model import Alert, Batch

AT = clock.parse_time("2026-05-01T12:00:00Z")
ALERT = Alert("01J0000000000000000000000A", "Loss is NaN", "at step 7", "error", AT, {"slack": "waiting"})


@pytest.fixture
def say(backend):
    """Says alerts as a writer would, a batch each."""
    run = backend.runs.start("abcd1234")

    def say_(*alerts):
        for seq, alert in enumerate(alerts, 1):
            backend.runs.append(run.id, "writer", seq, Batch(alerts=[alert]))
        return list(backend.runs.list_alerts(run.id))

    return say_


def test_alerts_come_back_as_they_were_said_oldest_first(say):
    other = replace(ALERT, id="01J0000000000000000000000B", title="Done", level="info", channels={})
    assert say(ALERT, other) == [ALERT, other]


def test_an_alert_said_again_gets_its_channels_and_its_count(say):
    later = replace(ALERT, channels={"slack": "sent"}, repeats=3)
    assert say(ALERT, later) == [later]


@pytest.mark.parametrize(
    "facts",
    [
        {"level": "loud"},
        {"id": "x" * 65},
        {"title": "x" * 201},
        {"text": "x" * 16_001},
        {"channels": {str(n): "sent" for n in range(101)}},
        {"repeats": -1},
        {"repeats": 1 << 31},
    ],
)
def test_an_alert_that_is_none_is_refused(say, backend, facts):
    with pytest.raises(InvalidArgument):
        say(replace(ALERT, **facts))
    assert list(backend.runs.list_alerts("abcd1234")) == []
