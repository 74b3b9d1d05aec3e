"""HTML and Markdown keep their bytes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lineal.client.media.html import Html, Markdown
from lineal.client.media.values import from_value
from lineal.core.errors import InvalidArgument, InvalidSource


def test_html_is_kept_byte_by_byte(tmp_path):
    value = Html("<script>ä</script>", caption="c").bind(tmp_path, "k", 0)
    assert (tmp_path / value["path"]).read_text(encoding="utf-8") == "<script>ä</script>"
    assert value["caption"] == "c"
    back = from_value(value, lambda path: tmp_path / path)
    assert isinstance(back, Html)
    assert back.html == "<script>ä</script>"
    assert back.bind(tmp_path, "k", 0) == value


def test_html_comes_from_files_too(place):
    Path("page.html").write_text("file")
    for given in ("page.html", Path("page.html"), io.StringIO("file"), io.BytesIO(b"file"), b"file"):
        assert Html(given).html == "file"
    assert Html("page.html", data_is_not_path=True).html == "page.html"
    assert Html("gone.html").html == "gone.html"
    assert Html("<b>\n.html").html == "<b>\n.html"
    with pytest.raises(InvalidSource):
        Html(Path("gone.html"))


@pytest.mark.parametrize("data", [None, 5, ["a"], "\ud800"])
def test_what_is_no_html_is_refused(data):
    with pytest.raises(InvalidArgument):
        Html(data)


def test_markdown_is_a_text_or_a_file(tmp_path):
    value = Markdown("# Hi", caption="c").bind(tmp_path, "k", 0)
    assert value["_type"] == "markdown-file"
    assert (tmp_path / value["path"]).read_text() == "# Hi"
    assert Markdown(tmp_path / value["path"]).bind(tmp_path, "k", 0)["sha256"] == value["sha256"]
    for wrong in (5, b"x", "\ud800"):
        with pytest.raises(InvalidArgument):
            Markdown(wrong)  # type: ignore[arg-type]
