"""The markup is converted, and everything else stays plain text."""

import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from convnext_studio.lecture.markup import to_html, to_plain


def test_emphasis_weight_and_code() -> None:
    assert to_html("*a* **b** `c < d`\n\ne & f") == (
        "<p><i>a</i> <b>b</b> <code>c &lt; d</code></p><p>e &amp; f</p>"
    )
    assert to_plain("*a* **b** `c < d`") == "a b c < d"


def test_a_single_star_is_a_star() -> None:
    assert to_html("3 * 4 = 12") == "<p>3 * 4 = 12</p>"


def test_a_size_stays_on_one_line() -> None:
    assert to_html("a 7 × 7 kernel × b") == "<p>a 7\u00a0×\u00a07 kernel\u00a0×\u00a0b</p>"
    assert to_html("**80.5 %** of x %") == "<p><b>80.5\u00a0%</b> of x %</p>"


@given(st.text(alphabet="ab*`<>&\" '", max_size=40))
def test_no_words_get_lost_and_none_become_tags(text: str) -> None:
    html = to_html(text)
    assert set(re.findall(r"</?(\w+)>", html)) <= {"p", "i", "b", "code"}
    assert unescape(re.sub(r"<[^>]*>", "", html)) == to_plain(text)
