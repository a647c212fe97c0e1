"""Leftovers in JavaScript and TypeScript: token by token, outside comments, and never for long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.leftovers import LARGEST, By, search_text
from crossfade.leftovers.script import _tokens

FLAG = "a flag of the switch to real data"


def found(source: str) -> list[tuple[int, int, str]]:
    text = search_text(source.encode(), ".ts")
    assert {one.by for one in text.findings} <= {By.TOKENS}
    return [(one.line, one.column, one.what) for one in text.findings]


@pytest.mark.parametrize(("source", "expected"), [
    ("import { MockDb } from './mock-db';", [(1, 10, "MockDb"), (1, 24, "./mock-db")]),
    ("import './mocks'", [(1, 8, "./mocks")]),
    ("const x = require(\"../fake\")", [(1, 19, "../fake")]),
    ("await import('@faker-js/faker')", [(1, 14, "@faker-js/faker")]),
    ("export * from `./mock`", [(1, 15, "./mock")]),
    ("return this.generateMockBusinessMetrics();", [(1, 13, "generateMockBusinessMetrics")]),
    ("flags.useRealBusinessMetrics", [(1, 7, "useRealBusinessMetrics")]),
    ("process.env.NEXT_PUBLIC_USE_REAL_SYSTEM_METRICS === 'true'", [(1, 13, "NEXT_PUBLIC_USE_REAL_SYSTEM_METRICS")]),
    ("process.env['USE_REAL_ORDERS']", [(1, 13, "USE_REAL_ORDERS")]),
    ("!flags.fallbackOnError", [(1, 8, "fallbackOnError")]),
    ("a\r\nb /* mock\n */ fake", [(3, 5, "fake")]),
    ("`${ mock(`${fake}`, {a: {}}) } text mock ${dummy}` + synthetic", [
        (1, 5, "mock"), (1, 13, "fake"), (1, 44, "dummy"), (1, 54, "synthetic")]),
    ("'it\\'s mock' + fake", [(1, 16, "fake")]),
    ("\"a\\\nmock\" + fake", [(2, 9, "fake")]),
    ("<p>don't {mockData}</p>", [(1, 11, "mockData")]),
    ("x = /mock['\"`]/g; fake", [(1, 19, "fake")]),
    ("x = a / b / mock", [(1, 13, "mock")]),
    ("x = f(a) / 'b' / mock", [(1, 18, "mock")]),
    ("return /[/'mock]/.test(fake)", [(1, 24, "fake")]),
    ("</div> 'mock' </div> mock", [(1, 22, "mock")]),
    ("$mock + _fake + dummy$", [(1, 1, "$mock"), (1, 9, "_fake"), (1, 17, "dummy$")]),
    ("ümlaut.mock", [(1, 8, "mock")]),
    ("// crossfade: keep\nmock()", [(2, 1, "mock")]),
])
def test_what_is_left(source: str, expected: list[tuple[int, int, str]]) -> None:
    assert found(source) == expected


@pytest.mark.parametrize("source", [
    "// mock", "/* useRealBusinessMetrics */", "x // ' mock", "'a mock in a string'", "`a mock in a template`",
    "'// ' + `/* ${1} */`", "jest.mock('./db'); vi.mock('./db')", "hammock.useRealm", "/* never closed mock",
    "mock() // crossfade: keep", "mock /* crossfade: keep */", "`never closed mock ", "'use real data'",
    "`${'}'}` + 'mock'", "`\\` mock`", "`$mock {mock}`",
])
def test_what_is_no_leftover(source: str) -> None:
    assert found(source) == []


def test_a_flag_says_whose_it_is() -> None:
    one, = search_text(b"flags.useRealOpenOrders", ".tsx").findings
    assert (one.component, one.why) == ("openOrders", FLAG)


def test_a_waiver_is_counted() -> None:
    text = search_text(b"mock(fake) // crossfade: keep\nmock('// crossfade: keep')", ".js")
    assert (text.waived, [one.line for one in text.findings]) == (2, [2])


@given(st.text(alphabet="ab'\"`/*{}$\\\n[] mock.,;", max_size=60))
def test_tokens_lie_in_the_text_in_their_order(text: str) -> None:
    end = 0
    for token in _tokens(text):
        assert token.at >= end
        assert text.startswith(token.text, token.at + (token.kind == "string"))
        end = token.at + len(token.text)
    assert end <= len(text)


@given(st.text(max_size=100), st.sampled_from(["mock", "useRealOrders"]))
def test_a_name_after_a_line_of_anything_but_a_template_is_found(text: str, name: str) -> None:
    line = "".join(char for char in text if char not in "`*/\\").replace("crossfade", "")
    content = f"{line}\n{name}".encode(errors="replace")
    assert any(one.what == name for one in search_text(content, ".js").findings)


@pytest.mark.parametrize("part", [
    "'", "'\\'", "\"\\", "`", "`${", "/*", "=/[", "=/", "=/a", "{", "}", "use_real_", "a_", "percent_", "mock ", "\n'",
    "`${`", "(", "mockA1_",
])
def test_the_worst_text_takes_no_longer_than_its_length_is_worth(part: str) -> None:
    content = ("mock " + part * (LARGEST // len(part)))[:LARGEST // 4].encode()
    began = time.process_time()
    search_text(content, ".js")
    assert time.process_time() - began < 10, part
