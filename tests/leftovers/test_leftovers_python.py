"""Leftovers in Python: what is one, where exactly, and what is none."""

import ast
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.leftovers import LARGEST, Finding, Unreadable, search_text
from crossfade.leftovers.words import MOCK_WORDS

IMPORT, NAME = "an import of a mock", "a name of a mock"
FLAG, FALLBACK = "a flag of the switch to real data", "the flag that lets a mock stand in"


def found(source: str) -> list[tuple[int, int, str, str]]:
    return [(one.line, one.column, one.what, one.why) for one in search_text(source.encode(), ".py").findings]


@pytest.mark.parametrize(("source", "expected"), [
    ("import mock_db", [(1, 8, "mock_db", IMPORT)]),
    ("import app.mocks.db as db", [(1, 8, "app.mocks.db as db", IMPORT)]),
    ("import os, fakes", [(1, 12, "fakes", IMPORT)]),
    ("from app.mock_db import rows", [(1, 6, "app.mock_db", IMPORT)]),
    ("from .mocks import rows", [(1, 6, "mocks", IMPORT)]),
    ("from . import mocks", [(1, 15, "mocks", IMPORT)]),
    ("from app import (\n  rows,\n  FakeRows as Rows)", [(3, 3, "FakeRows as Rows", IMPORT)]),
    ("importlib.import_module('app.mock_db')", [(1, 25, "app.mock_db", IMPORT)]),
    ("__import__('dummy')", [(1, 12, "dummy", IMPORT)]),
    ("def generate_mock_metrics(): ...", [(1, 5, "generate_mock_metrics", NAME)]),
    ("async  def  fake(): ...", [(1, 13, "fake", NAME)]),
    ("@decorated\nclass   MockBusiness: ...", [(2, 9, "MockBusiness", NAME)]),
    ("a.generateMockData().b", [(1, 3, "generateMockData", NAME)]),
    ("a \\\n  .dummy", [(2, 4, "dummy", NAME)]),
    ("f(fake_rows=1)", [(1, 3, "fake_rows", NAME)]),
    ("def f(a, *, synthetic=1): ...", [(1, 13, "synthetic", NAME)]),
    ("def f():\n  global FAKE_ROWS", [(2, 3, "FAKE_ROWS", NAME)]),
    ("try: ...\nexcept E as fake: ...", [(2, 1, "fake", NAME)]),
    ("match x:\n  case {'a': dummy}: ...", [(2, 14, "dummy", NAME)]),
    ("x: 'int' = mock", [(1, 12, "mock", NAME)]),
    ("é = 'ü'; ñ.mock", [(1, 12, "mock", NAME)]),
    ("if flags.use_real_business_metrics: ...", [(1, 10, "use_real_business_metrics", FLAG)]),
    ("USE_REAL_ORDERS = 1", [(1, 1, "USE_REAL_ORDERS", FLAG)]),
    ("os.environ['NEXT_PUBLIC_USE_REAL_ORDERS']", [(1, 12, "NEXT_PUBLIC_USE_REAL_ORDERS", FLAG)]),
    ("flags['useRealBusinessMetrics']", [(1, 7, "useRealBusinessMetrics", FLAG)]),
    ("run('--use-real-orders=true')", [(1, 5, "use-real-orders", FLAG)]),
    ("run(b'x', 'USE_REAL_ORDERS=true app')", [(1, 11, "USE_REAL_ORDERS", FLAG)]),
    ("f'USE_REAL_{name}'", [(1, 1, "USE_REAL_", FLAG)]),
    ("set(percent_business_metrics=5)", [(1, 5, "percent_business_metrics", FLAG)]),
    ("set(shadow_system_metrics=True)", [(1, 5, "shadow_system_metrics", FLAG)]),
    ("from app.flags import use_real_orders", [(1, 23, "use_real_orders", FLAG)]),
    ("FALLBACK_ON_ERROR", [(1, 1, "FALLBACK_ON_ERROR", FALLBACK)]),
    ("x = 'NEXT_PUBLIC_FALLBACK_ON_ERROR'", [(1, 5, "NEXT_PUBLIC_FALLBACK_ON_ERROR", FALLBACK)]),
    ("flags.fallbackOnError", [(1, 7, "fallbackOnError", FALLBACK)]),
])
def test_what_is_left(source: str, expected: list[tuple[int, int, str, str]]) -> None:
    ast.parse(source)
    assert found(source) == expected


@pytest.mark.parametrize("source", [
    "hammock = mockingbird = 1", "'a mock in a string'", "'''use_real_orders'''", "# mock use_real_orders",
    "def f():\n  'fallback_on_error is documented here'", "percent_done = percent_orders = shadow_root = 1",
    "use_real = useful_realm = 1", "'Use real data'", "fallback = on_error = 1",
    "import unittest.mock\nunittest.mock.patch('x')", "from unittest import mock\nmock.Mock()",
    "from unittest.mock import patch as fake, MagicMock\nfake(); MagicMock()",
    "import unittest.mock as fakes\nfakes.Mock()", "importlib.import_module('unittest.mock')",
])
def test_what_is_no_leftover(source: str) -> None:
    ast.parse(source)
    assert found(source) == []


def test_mocks_of_declared_components_are_known_as_theirs() -> None:
    source = '''
@fade.component("orders", model=Orders)
class OrderSources:
    def mock(): return Orders(12)
    def real(): ...

@board.component(name="openSales", model=Sales)
class SaleSources:
    mock = staticmethod(lambda: Sales(1))
    async def real(): return fake()

@component(NAME)
class Others:
    async def mock(): ...

@dataclass(frozen=True)
class NoComponent:
    mock: int = 1
'''
    told = [(one.line, one.column, one.what, one.why, one.component)
            for one in search_text(source.encode(), ".py").findings]
    assert told == [
        (4, 9, "mock", "the mock of the component orders", "orders"),
        (9, 5, "mock", "the mock of the component openSales", "openSales"),
        (10, 30, "fake", NAME, None),
        (14, 15, "mock", "the mock of the component that is declared here", None),
        (18, 5, "mock", NAME, None),
    ]


@pytest.mark.parametrize(("source", "component"), [
    ("generate_mock_business_metrics", "businessMetrics"), ("MockBusiness", "businessMetrics"),
    ("MockHistory", "historicalData"), ("fakeInfra", "infrastructureMetrics"), ("MockDb", None),
    ("mock_metrics", None), ("x.use_real_system_metrics", "systemMetrics"), ("USE_REAL_OPEN_ORDERS", "openOrders"),
    ("FALLBACK_ON_ERROR", None), ("percent_historical_data", "historicalData"),
])
def test_whose_it_is(source: str, component: str | None) -> None:
    one, = search_text(source.encode(), ".py").findings
    assert one.component == component


def test_a_comment_keeps_what_its_line_has() -> None:
    source = ("mock()  # crossfade: keep, for the demo\nfake()\ndummy('# crossfade: keep')\n"
              "x = '''\nmock # crossfade: keep'''")
    text = search_text(source.encode(), ".py")
    assert ([one.line for one in text.findings], text.waived) == ([2, 3], 1)


@pytest.mark.parametrize(("content", "why"), [
    (b"def mock(:", "line 1: invalid syntax"),
    (b"print 'mock'", "line 1: Missing parentheses"),
    (b"# coding: magic\nmock", "unknown encoding"),
    (b"x = '\xff mock'", "encoding"),
    (b"1\n2\nx = '\xff mock'", "no utf-8 text: byte 9"),
    (b"mock = " + b"(" * 5_000, "nested"),
    (b"mock = " + b"-" * 200_000 + b"1", "nested"),
    (b"mock = " + b"[" * 150 + b"]" * 150, ""),
    (b"if mock:\n  x\n y", "unindent"),
])
def test_what_is_no_python_is_told(content: bytes, why: str) -> None:
    if not why:
        assert search_text(content, ".py").findings
        return
    with pytest.raises(Unreadable, match=why):
        search_text(content, ".py")


def test_other_encodings_are_read() -> None:
    assert search_text("# coding: latin-1\né = mock".encode("latin-1"), ".py").findings[0].column == 5
    assert search_text("\ufeffmock".encode(), ".py").findings[0].column == 1
    assert [one.line for one in search_text(b"x\r\nmock\rfake\n", ".py").findings] == [2, 3]


@pytest.mark.parametrize("part", ["mock;", "'é';mock;", "\nclass mock: pass", "'use_real_orders',", "a_", "percent_",
                                  "mock(", ".mock", "\nx = '# crossfade: keep'", "'use_real_' "])
def test_the_worst_text_takes_no_longer_than_its_length_is_worth(part: str) -> None:
    content = b"mock\n" + part.encode() * (LARGEST // 4 // len(part.encode()))
    began = time.process_time()
    with suppress(Unreadable):
        search_text(content, ".py")
    assert time.process_time() - began < 10, part


@given(st.text(max_size=200))
def test_no_text_breaks_the_search(text: str) -> None:
    content = f"mock\n{text}".encode(errors="surrogatepass")
    try:
        findings = search_text(content, ".py").findings
    except Unreadable:
        return
    assert findings[0] == Finding(1, 1, "mock", NAME)


@given(st.sampled_from(sorted(MOCK_WORDS)), st.from_regex(r"[a-z]{1,8}", fullmatch=True))
def test_every_spelling_of_a_name_is_the_same_name(word: str, other: str) -> None:
    for name in (f"{word}_{other}", f"{other}_{word}".upper(), f"{other}{word.capitalize()}X", f"_{word}"):
        assert found(f"{name} = 1")[0][2] == name, name
