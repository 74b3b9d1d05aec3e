import logging
import socket
import sys

import pytest

from lineal.client.channels import channels, public_name
from lineal.core import clock
from lineal.tracking.model import Alert
from tests.client.webhooks import webhook


def an_alert(title="Loss is NaN", text="at step 7", level="error"):
    return Alert(clock.new_id(), title, text, level, clock.now())


def a_closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("slack://T0KEN-A/T0KEN-B/T0KEN-C/#ops", "slack"),
        ("mailto://ada:s3cret@example.org", "mailto"),
        ("tgram://123456:bot-token/chat", "tgram"),
        ("json://ada:s3cret@alerts.example.org:8080/s3cret?+key=s3cret", "json://alerts.example.org"),
        ("https://hooks.example.org/services/s3cret", "https://hooks.example.org"),
        ("JSONS://Alerts.Example.org", "jsons://alerts.example.org"),
        ("json://[::1]/x", "json://::1"),
        ("json://[broken/x", "json"),
        ("s3cret without a scheme", "channel"),
    ],
)
def test_the_name_of_a_channel_holds_no_secret(url, name):
    assert public_name(url) == name
    assert repr(channels([url])[0]) == f"<Channel {name}>"


def test_channels_that_would_share_a_name_are_numbered():
    assert [c.name for c in channels(["slack://a/b/c", "json://h/1", "slack://d/e/f"])] == [
        "slack",
        "json://h",
        "slack #2",
    ]


def test_what_is_sent_says_all_that_the_alert_says():
    pytest.importorskip("apprise")
    with webhook() as hook:
        answer = channels([hook.url()])[0].send(an_alert(), "Run calm-owl-1 (local/digits/abcd1234)")
    assert answer == ("", False)
    [body] = hook.taken
    assert body["title"] == "Loss is NaN"
    assert body["type"] == "failure"
    assert body["message"].split() == ["at", "step", "7", "Run", "calm-owl-1", "(local/digits/abcd1234)"]


@pytest.mark.parametrize(("status", "again"), [(500, True), (503, True), (429, True), (404, False), (403, False)])
def test_a_refusal_is_told_with_its_status_and_whether_trying_again_may_help(status, again):
    pytest.importorskip("apprise")
    with webhook(status) as hook:
        assert channels([hook.url()])[0].send(an_alert(), "Run") == (f"it answered {status}", again)


def test_a_channel_that_does_not_answer_is_given_up_in_time():
    pytest.importorskip("apprise")
    with webhook(0) as hook:
        assert channels([hook.url(query="?rto=0.2")])[0].send(an_alert(), "Run") == ("no answer in time", True)


def test_a_channel_where_nobody_listens_is_told():
    pytest.importorskip("apprise")
    url = f"json://127.0.0.1:{a_closed_port()}/s3cret"
    assert channels([url])[0].send(an_alert(), "Run") == ("it can't be reached", True)


@pytest.mark.parametrize("url", ["nosuchservice://s3cret", "s3cret", "slack://"])
def test_an_url_that_names_no_channel_is_told_without_showing_it(url, caplog):
    pytest.importorskip("apprise")
    caplog.set_level(logging.DEBUG)
    assert channels([url])[0].send(an_alert(), "Run") == ("Apprise does not understand its URL", False)
    assert "s3cret" not in caplog.text


def test_nothing_of_the_url_is_logged_by_the_libraries_underneath(caplog):
    pytest.importorskip("apprise")
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "apprise")
    with webhook(500) as hook:
        channel = channels([hook.url()])[0]
        channel.send(an_alert(), "Run")
        channel.send(an_alert(), "Run")
    assert "s3cret" not in caplog.text
    logging.getLogger("apprise").warning("from somebody else")
    assert "from somebody else" in caplog.text


def test_without_apprise_the_answer_is_how_to_install_it(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    for module in [name for name in sys.modules if name.partition(".")[0] == "apprise"]:
        monkeypatch.delitem(sys.modules, module)
    assert channels(["slack://a/b/c"])[0].send(an_alert(), "Run") == ("pip install 'lineal[alerts]'", False)
