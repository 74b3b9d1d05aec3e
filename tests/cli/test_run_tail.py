import lineal
from lineal import Api
from lineal.cli.run_tail import follow
from lineal.tracking.model import Batch
from lineal.tracking.rows import encode


def test_a_live_run_is_followed_until_it_ends(capsys) -> None:  # type: ignore[no-untyped-def]
    from lineal.backend.connect import connect
    from lineal.core.settings import load

    backend = connect(load())
    backend.runs.start("r", project="p", name="live")

    def say(seq: int, *texts: str) -> None:
        console = encode([(seq * 10 + n, 1.0, {"stdout": text}) for n, text in enumerate(texts)])
        history = encode([(seq, 1.0, {"loss": 1 / seq})])
        backend.runs.append("r", "w", seq, Batch({"console": console, "history": history}, seq))

    say(1, "old", "hello \x1b[31mred\x1b[0m")
    waited = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 1:
            say(2, "epoch 2")
        else:
            say(3, "the end")
            backend.runs.finish("r", "failed", exit_code=3, message="Traceback\n  boom")

    follow(Api().run("r"), lines=1, only=None, interval_s=0.5, pause=pause)
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "hello red",
        "step 1  loss=1",
        "epoch 2",
        "step 2  loss=0.5",
        "the end",
        "step 3  loss=0.333333",
        "Traceback",
        "  boom",
    ]
    assert said.err == "live (r) failed, exit code 3\n"
    assert waited == [0.5, 0.5]
    backend.close()


def test_none_of_the_earlier_lines_need_be_shown(capsys) -> None:  # type: ignore[no-untyped-def]
    with lineal.init(id="r", name="done") as run:
        run.log({"loss": 1})
    follow(Api().run("r"), lines=0, only="metrics", interval_s=1)
    assert capsys.readouterr().out == ""
