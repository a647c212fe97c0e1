"""DuckDB behind the port: what every backend must do, and what is its own."""

import os
import random
import signal
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, iso
from crossfade.core.days import Days
from crossfade.core.report import REPORT
from crossfade.store import connections, embedded, horizon, intake
from crossfade.store.connections import ROW_GROUP
from crossfade.store.embedded import EmbeddedStore
from crossfade.store.port import EventStore, Loaded, SegmentUnreadable, StoreBusy, StoreError, StoreTooNew

from .conformance import BASE, Conformance, Item, Oracle, agree, load


class TestEmbeddedStore(Conformance):
    """With a mark before every segment, so that hardly a row is looked at in vain."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def marks(cls):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(horizon, "EVERY", 1)
            yield

    def make(self, path: Path, days: Days) -> EventStore:
        return EmbeddedStore(path, days)


@pytest.fixture
def store(tmp_path):
    made = EmbeddedStore(tmp_path / "events.duckdb", Days())
    yield made
    made.close()


def ask(store, query, *parameters):
    """What stands in the tables."""
    return store._connections.loader.execute(query, parameters).fetchall()


def test_rollups_are_the_raw_events_counted(tmp_path):
    dice = random.Random(7)
    store = EmbeddedStore(tmp_path / "e", Days("Europe/Berlin"))
    for number in range(1, 6):
        items = [Item(f"{dice.randrange(300)}", BASE - dice.randrange(dice.choice((900 * DAY, MINUTE))),
                      event=dice.choice(("a", "auth_success")), user=dice.choice(("", "ann", "bob")))
                 for _ in range(100)]
        load(store, tmp_path, number, items)
        assert ask(store, "SELECT minute, event, n FROM minute_rollup ORDER BY ALL") == ask(
            store, "SELECT CAST(ts // 60000000 AS INTEGER), event, count(*) FROM events GROUP BY ALL ORDER BY ALL")
        assert ask(store, "FROM sign_ins ORDER BY ALL") == ask(
            store, "SELECT CAST(ts // 60000000 AS INTEGER), user_id, min(ts), max(ts) FROM events "
                   "WHERE event = 'auth_success' AND user_id IS NOT NULL GROUP BY ALL ORDER BY ALL")
    assert sorted(ask(store, "SELECT day, event, sum(n) FROM day_rollup GROUP BY ALL")) == sorted(
        (day, event, n) for day, found in store.days(date(1973, 1, 1), date(3000, 1, 1)).items()
        for event, n in found.items())
    store.close()


def test_what_fills_a_row_group_is_written_but_once(store, tmp_path):
    log = tmp_path / "events.duckdb.wal"
    load(store, tmp_path, 1, [Item(f"a{number}", BASE) for number in range(ROW_GROUP // 2)])
    through_the_log = log.stat().st_size
    store.rest()
    load(store, tmp_path, 2, [Item(f"b{number}", BASE) for number in range(ROW_GROUP + 10)])
    assert log.stat().st_size < through_the_log / 20


def test_rows_keep_their_places_until_some_are_deleted(tmp_path, monkeypatch):
    """What the horizon rests on, through small and full row groups, checkpoints and new starts."""
    monkeypatch.setattr(horizon, "EVERY", 1)
    dice, count = random.Random(3), 0
    for number in range(1, 13):
        store = EmbeddedStore(tmp_path / "e", Days())
        more = dice.choice((1, 50, 3_000, ROW_GROUP + 7))
        load(store, tmp_path, number, [Item(f"{number}/{each}", BASE + number * SECOND) for each in range(more)])
        count += more
        if number % 3:
            store.rest()
        assert ask(store, "SELECT min(rowid), max(rowid), count(*) FROM events") == [(0, count - 1, count)]
        assert store._horizon.rows == count
        assert ask(store, "FROM marks AS m JOIN events AS e ON e.rowid < m.row WHERE e.ts > m.latest LIMIT 1") == []
        assert store._horizon.since(BASE + number * SECOND) == count - more
        store.close()


def test_what_is_asked_while_old_events_are_forgotten_is_asked_again(tmp_path, monkeypatch):
    monkeypatch.setattr(horizon, "EVERY", 1)
    store = EmbeddedStore(tmp_path / "e", Days())
    load(store, tmp_path, 1, [Item(f"a{each}", BASE - 900 * DAY) for each in range(2 * ROW_GROUP)])
    load(store, tmp_path, 2, [Item("b", BASE)])
    assert store._horizon.since(BASE) == 2 * ROW_GROUP
    assert store.forget(BASE - 901 * DAY) == 0
    looked, since = [], store._horizon.since

    def look(moment):
        """The moment at which everything moves."""
        row = since(moment)
        looked.append(row)
        store.forget(BASE - DAY)
        store._connections.loader.execute("CHECKPOINT")
        return row

    monkeypatch.setattr(store._horizon, "since", look)
    assert sum(len(part) for part in store.raw(BASE, BASE + 1)) == 1
    assert looked == [2 * ROW_GROUP]
    assert store.counts(BASE - 7, BASE + 7) == {"file_processed": 1}
    assert load(store, tmp_path, 3, [Item("b", BASE), Item("c", BASE)]).stored == 1
    store.close()
    store = EmbeddedStore(tmp_path / "e", Days())
    assert store._horizon.rows is None
    assert store.counts(BASE - 7, BASE + 7) == {"file_processed": 2}
    store.close()


def test_a_store_of_before_the_marks_and_the_sign_ins_is_given_them(tmp_path):
    store = EmbeddedStore(tmp_path / "e", Days())
    load(store, tmp_path, 1, [Item("a", BASE, user="ann"), Item("b", BASE - DAY, event="auth_success", user="ann")])
    ask(store, "DROP TABLE marks")
    ask(store, "DROP TABLE sign_ins")
    ask(store, "UPDATE meta SET value = '2' WHERE name = 'schema'")
    store.close()
    store = EmbeddedStore(tmp_path / "e", Days())
    assert ask(store, "FROM marks") == [(2, 1, BASE, BASE)]
    assert ask(store, "FROM sign_ins") == [((BASE - DAY) // MINUTE, "ann", BASE - DAY, BASE - DAY)]
    assert (store._horizon.rows, store._horizon.since(BASE), store._horizon.since(BASE + 1)) == (2, 0, 2)
    assert load(store, tmp_path, 2, [Item("a", BASE), Item("c", BASE)]).stored == 1
    assert store.counts(BASE, BASE + 1) == {"file_processed": 2}
    store.close()


def test_a_path_may_hold_what_sql_holds_for_the_end_of_a_text(tmp_path):
    folder = tmp_path / "it's a \"folder\"; -- é"
    folder.mkdir()
    for number in (1, 2):
        store = EmbeddedStore(folder / "e'e", Days())
        assert load(store, folder, number, [Item(f"a{number}", BASE)]).stored == 1
        assert store.counts(0, BASE + 1) == {"file_processed": number}
        store.close()


@pytest.mark.parametrize(("age", "recognised"), [(19, True), (20, False)])
def test_a_retry_with_a_new_time_is_looked_for_among_so_many(store, tmp_path, monkeypatch, age, recognised):
    monkeypatch.setattr(intake, "RECENT", 20)
    load(store, tmp_path, 1, [Item("a", BASE - 900 * DAY)])
    for number in range(2, age + 2):
        load(store, tmp_path, number, [Item(f"x{number}", BASE)])
    assert load(store, tmp_path, 99, [Item("a", BASE + HOUR)]).duplicates == recognised


def test_retries_are_recognised_on_both_sides_of_where_the_last_events_begin(store, tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "RECENT", 150_000)
    items = [Item(f"a{number}", BASE) for number in range(300_000)]
    load(store, tmp_path, 1, items)
    assert load(store, tmp_path, 2, items) == Loaded(2, 0, len(items), 0)


@settings(max_examples=15)
@given(ages=st.lists(st.integers(0, 7_000 * DAY), min_size=1, max_size=60, unique=True))
def test_a_retry_with_its_own_time_is_recognised_by_that_alone(tmp_path_factory, ages):
    folder = tmp_path_factory.mktemp("retry")
    store = EmbeddedStore(folder / "e", Days())
    items = [Item(f"a{age}", BASE - age) for age in ages]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "RECENT", 1)
        load(store, folder, 1, items)
        load(store, folder, 2, [Item("x", BASE + HOUR)])
        assert load(store, folder, 3, items) == Loaded(3, 0, len(items), 0)
    store.close()


@pytest.mark.parametrize(("later", "recognised"), [(7 * DAY, True), (7 * DAY + 1, False)])
def test_a_retry_without_a_time_is_looked_for_among_what_came_in_a_week(store, tmp_path, monkeypatch, later,
                                                                        recognised):
    monkeypatch.setattr(intake, "RECENT", 1)
    load(store, tmp_path, 1, [Item("a", None, BASE), Item("b", None, BASE)])
    assert load(store, tmp_path, 2, [Item("a", None, BASE + later)]).duplicates == recognised


def test_quarantine_keeps_the_line_its_number_and_the_reason(store, tmp_path):
    path = tmp_path / "1.tsv"
    path.write_bytes(Item("a", BASE).line().encode() + b"1\tx\t3\t4\tid\te\t\t\t\t{}\t\t\n" + b"\xffgarbage\n"
                     + Item("b", BASE).line().encode() + b"short" + b"y" * 5_000 + b"\n")
    assert store.load(1, path) == Loaded(1, 2, 0, 3)
    kept = ask(store, "SELECT segment, line, reason, text FROM quarantine ORDER BY line")
    assert kept[0] == (1, 2, "received is no BIGINT: 'x'", "1\tx\t3\t4\tid\te\t\t\t\t{}\t\t")
    assert kept[1] == (1, 3, "it is not UTF-8: invalid start byte at byte 0", "\N{REPLACEMENT CHARACTER}garbage")
    assert kept[2][:3] == (1, 5, "it has 1 columns, not 12")
    assert len(kept[2][3]) == 2_000
    assert not list(tmp_path.glob("sifted*"))


noise = st.one_of(
    st.binary(max_size=40), st.just(Item("ok", BASE).line().encode()),
    st.builds(lambda fields: "\t".join(fields).encode() + b"\n", st.lists(
        st.sampled_from(("", "1", "-1", "70000", "1e3", " 7", "0x1", str(BASE), iso(BASE), "2026-11-22",
                         "2026-11-22T12:00:00+23:59",
                         "0001-01-01T00:00:00+14:00", str(2**63), "9" * 30, "NaN", "{}", '"',
                         "a\\", "#", "é")), min_size=11, max_size=13)),
)


@settings(max_examples=60)
@given(lines=st.lists(noise, min_size=1, max_size=12))
@example(lines=[b"\t" * 11])  # a line without any value
def test_whatever_a_file_holds_it_is_stored_or_quarantined(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("noise")
    store = EmbeddedStore(folder / "e", Days())
    path = folder / "1.tsv"
    path.write_bytes(b"".join(lines))
    try:
        loaded = store.load(1, path)
        assert loaded.stored + loaded.duplicates + loaded.quarantined >= sum(
            bool(line) for line in path.read_bytes().split(b"\n"))
        assert store.last_segment() == 1
        assert load(store, folder, 2, [Item("later", BASE)]).stored == 1
    finally:
        store.close()


def test_a_newer_schema_is_refused(store, tmp_path):
    ask(store, "UPDATE meta SET value = '99' WHERE name = 'schema'")
    store.close()
    with pytest.raises(StoreTooNew, match="99"):
        EmbeddedStore(tmp_path / "events.duckdb", Days())


def test_another_time_zone_is_refused_and_the_file_let_go(store, tmp_path):
    store.close()
    with pytest.raises(StoreError, match="counts its days in UTC, the settings say Europe/Berlin"):
        EmbeddedStore(tmp_path / "events.duckdb", Days("Europe/Berlin"))
    EmbeddedStore(tmp_path / "events.duckdb", Days()).close()


def test_a_file_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "events.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match=r"events\.duckdb cannot be opened"):
        EmbeddedStore(tmp_path / "events.duckdb", Days())


def test_a_store_whose_version_cannot_be_read_is_refused(store, tmp_path):
    ask(store, "UPDATE meta SET value = 'one' WHERE name = 'schema'")
    store.close()
    with pytest.raises(StoreError, match="'one'"):
        EmbeddedStore(tmp_path / "events.duckdb", Days())


def test_keys_are_computed_anew_where_the_hash_has_changed(store, tmp_path):
    load(store, tmp_path, 1, [Item("a", BASE)])
    ask(store, "UPDATE events SET key = 0")
    ask(store, "UPDATE meta SET value = '0' WHERE name = 'hash'")
    store.close()
    again = EmbeddedStore(tmp_path / "events.duckdb", Days())
    assert load(again, tmp_path, 2, [Item("a", BASE)]).duplicates == 1
    again.close()


def test_nothing_outside_the_folder_is_read_or_written(store, tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}-outside.tsv"
    outside.write_text(Item("a", BASE).line())
    for query in (f"SELECT * FROM read_csv('{outside}')", f"COPY meta TO '{outside}'", f"ATTACH '{outside}' AS other",
                  "SELECT * FROM read_text('/etc/hostname')", "SET enable_external_access = true", "INSTALL httpfs",
                  "SET allowed_directories = ['/']"):
        with pytest.raises(duckdb.Error):
            ask(store, query)
    with pytest.raises(StoreBusy):
        store.load(1, outside)
    assert store.last_segment() == 0


@pytest.mark.parametrize("name", ["with ' quote", "[a]*b", "{x}", "späce 😀"])
def test_a_folder_may_have_any_name(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    store = EmbeddedStore(tmp_path / "link" / "e", Days())
    assert load(store, tmp_path / "link", 1, [Item("a", BASE)]).stored == 1
    store.close()


def test_a_relative_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = EmbeddedStore(Path("e"), Days())
    assert load(store, Path("journal"), 1, [Item("a", BASE)]).stored == 1
    store.close()


def test_the_log_is_taken_in_when_it_is_worth_it(store, tmp_path):
    wal = tmp_path / "events.duckdb.wal"
    load(store, tmp_path, 1, [Item("a", BASE)])
    store.rest()
    assert wal.stat().st_size > 0  # not yet
    load(store, tmp_path, 2, [Item(str(i), BASE, properties=f'{{"x":"{i * 7919:0200}"}}') for i in range(6_000)])
    assert wal.stat().st_size > embedded.QUIET_WAL
    store.rest()
    assert not wal.exists() or wal.stat().st_size == 0
    assert store.counts(0, BASE + 1) == {"file_processed": 6_001}
    assert store.status().bytes > 0


def opening(store):
    """Another one each time that the file is attached."""
    return ask(store, "SELECT database_oid FROM duckdb_databases() WHERE database_name = 'store'")


@pytest.fixture
def renews(monkeypatch):
    """After each row."""
    monkeypatch.setattr(embedded, "RENEW_AFTER", 1)


@pytest.mark.usefixtures("renews")
def test_the_file_is_taken_up_anew_and_nothing_is_lost_or_forgotten(store, tmp_path):
    for number in range(1, 6):
        assert load(store, tmp_path, number, [Item("a", BASE), Item(f"b{number}", BASE)]).stored == 1 + (number == 1)
        before = ask(store, "SELECT current_setting('memory_limit'), current_setting('lock_configuration')")
        attached = opening(store)
        store.rest()
        assert opening(store) != attached
        assert ask(store, "SELECT current_setting('memory_limit'), current_setting('lock_configuration')") == before
        assert store.counts(0, BASE + 1) == {"file_processed": number + 1}
        assert store.last_segment() == number
    assert load(store, tmp_path, 6, [Item(f"c{row}", BASE) for row in range(ROW_GROUP)]).stored == ROW_GROUP
    assert ask(store, "SELECT max(count) FROM pragma_storage_info('events')") == [(ROW_GROUP,)]


@pytest.mark.usefixtures("renews")
def test_the_file_is_not_let_go_while_a_question_is_asked(store, tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE", 0)
    monkeypatch.setattr(embedded, "ROWS_AT_ONCE", 10)
    load(store, tmp_path, 1, [Item(f"a{number}", BASE) for number in range(10 * embedded.PARTS_AHEAD)])
    answer = store.raw(0, BASE + 1)
    told = len(next(answer))
    attached = opening(store)
    store.rest()
    assert opening(store) == attached
    assert told + sum(map(len, answer)) == 10 * embedded.PARTS_AHEAD
    store.rest()
    assert opening(store) != attached


@pytest.mark.usefixtures("renews")
def test_an_answer_that_is_all_there_keeps_nobody_waiting_while_it_is_read(store, tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE", 0)
    monkeypatch.setattr(embedded, "ROWS_AT_ONCE", 10)
    count = 10 * (embedded.PARTS_AHEAD - 1)
    load(store, tmp_path, 1, [Item(f"a{number}", BASE) for number in range(count)])
    answer = store.raw(0, BASE + 1)
    told = len(next(answer))
    store.rest()
    assert store._taken == 0
    assert told + sum(map(len, answer)) == count


@pytest.mark.usefixtures("renews")
def test_a_file_that_cannot_be_taken_up_again_makes_it_busy_until_it_can(store, tmp_path):
    load(store, tmp_path, 1, [Item("a", BASE)])
    file, away = tmp_path / "events.duckdb", tmp_path / "away"
    attach = connections._attach

    def gone(*told: object) -> None:
        file.rename(away)
        file.mkdir()
        attach(*told)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "_attach", gone)
        with pytest.raises(StoreBusy):
            store.rest()
    with pytest.raises(StoreError):
        store.counts(0, BASE + 1)
    with pytest.raises(StoreBusy):
        store.rest()
    file.rmdir()
    away.rename(file)
    assert load(store, tmp_path, 2, [Item("b", BASE)]).stored == 1
    assert store.counts(0, BASE + 1) == {"file_processed": 2}


def test_a_segment_that_could_not_be_committed_left_nothing_and_comes_in_later(store, tmp_path):
    load(store, tmp_path, 1, [Item("a", BASE)])
    statement = store._sql["merge_days"]
    store._sql["merge_days"] = "SELECT error('the disk is gone')"
    with pytest.raises((StoreBusy, SegmentUnreadable)):
        load(store, tmp_path, 2, [Item("b", BASE)])
    assert (store.last_segment(), store.counts(0, BASE + HOUR)) == (1, {"file_processed": 1})
    store._sql["merge_days"] = statement
    assert load(store, tmp_path, 2, [Item("b", BASE)]) == Loaded(2, 1, 0, 0)


@pytest.mark.usefixtures("renews")
def test_questions_run_beside_the_loader_on_as_many_cursors_as_it_takes(store, tmp_path):
    load(store, tmp_path, 1, [Item(str(i), BASE + i * MINUTE) for i in range(100)])
    wrong: list[object] = []
    done = threading.Event()

    def reader() -> None:
        while not done.is_set():
            found = store.counts(BASE, BASE + 100 * MINUTE)["file_processed"]
            if found % 100:  # a segment is in as a whole or not at all
                wrong.append(found)

    threads = [threading.Thread(target=reader) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2, 12):
        load(store, tmp_path, number, [Item(f"{number}/{i}", BASE + i * MINUTE) for i in range(100)])
        store.rest()
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    for _ in range(50):  # threads come and go, cursors do not
        thread = threading.Thread(target=store.last_segment)
        thread.start()
        thread.join()
    assert len(store._connections._idle) <= 4


def test_a_question_to_a_closed_store_is_an_error_of_ours(store):
    store.close()
    with pytest.raises(StoreError):
        store.counts(0, 1)


def test_a_long_history_of_scans_comes_in_parts(store, tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "SCANS_AT_ONCE", 3)
    for number in range(1, 5):
        load(store, tmp_path, number, [Item(f"{number}/{i}", BASE, event="scan_started") for i in range(2)])
    assert [found.segment for found in store.scan_events(0)] == [1, 1, 2, 2]
    assert [found.segment for found in store.scan_events(2)] == [3, 3, 4, 4]


def test_of_very_many_reports_the_newest_are_given_in_the_segments_order(store, tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "REPORTS_AT_ONCE", 3)
    load(store, tmp_path, 1, [Item("a", BASE + 9, event=REPORT), Item("b", BASE, event=REPORT)])
    load(store, tmp_path, 2, [Item(str(place), BASE + place, event=REPORT) for place in range(1, 4)])
    assert [(found.segment, found.at - BASE) for found in store.reports(0, 0)] == [(1, 9), (2, 2), (2, 3)]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from crossfade.core.days import Days
from crossfade.store.embedded import EmbeddedStore
from crossfade.store.connections import ROW_GROUP
from crossfade.store.port import StoreBusy
from conformance import BASE, Item, load

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def refused(call):
    try:
        call()
    except StoreBusy:
        return True
    return False

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails, as on a full disk
folder = Path(sys.argv[1])
store = EmbeddedStore(folder / "e", Days())
load(store, folder, 1, [Item("a", BASE)])
many = [Item(str(i), BASE, properties='{"x":"%0200d"}' % i) for i in range(20_000)]
(folder / "2.tsv").write_text("".join(item.line() for item in many))
limit(100_000)
assert refused(lambda: store.load(2, folder / "2.tsv"))
assert store.last_segment() == 1 and store.status().stored == 1
limit(resource.RLIM_INFINITY)
assert store.load(2, folder / "2.tsv").stored == 20_000
limit(100_000)
assert refused(store.rest)
limit(resource.RLIM_INFINITY)
store.rest()  # DuckDB answers nothing more after a failed checkpoint: the file is opened anew
assert store.counts(0, BASE + 1) == {"file_processed": 20_001}
assert load(store, folder, 3, [Item("b", BASE), Item("a", BASE)]).stored == 1
store.close()
"""


def run(script: str, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    source = Path(embedded.__file__).parents[2]
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{here}"}
    return subprocess.Popen([sys.executable, "-c", script, str(folder), *arguments], env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_full_disk_makes_it_busy_and_it_goes_on_when_there_is_room(tmp_path):
    child = run(FULL_DISK, tmp_path)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 0, told.decode()


LOADER = """
import sys
from pathlib import Path
from crossfade.core.days import Days
from crossfade.store import embedded
from crossfade.store.embedded import EmbeddedStore

embedded.RENEW_AFTER = 1
folder = Path(sys.argv[1])
store = EmbeddedStore(folder / "e", Days("Europe/Berlin"))
for path in sorted(folder.glob("*.tsv"), key=lambda path: int(path.stem) if path.stem.isdecimal() else 0):
    if path.stem.isdecimal() and int(path.stem) > store.last_segment():
        print("loading", flush=True)
        store.load(int(path.stem), path)
        store.rest()
print("done", flush=True)
"""
ROUNDS = 12


def test_killed_at_any_moment_every_event_is_in_once(tmp_path):
    dice = random.Random(20)
    oracle = Oracle("Europe/Berlin")
    for number in range(1, 16):
        items = [Item(str(dice.randrange(9_000)), BASE - dice.randrange(2) * dice.randrange(40 * DAY),
                      properties='{"x":"' + "y" * 200 + '"}') for _ in range(900)]
        (tmp_path / f"{number}.tsv").write_text("".join(item.line() for item in items))
        oracle.load(number, items)
    killed = 0
    for _ in range(ROUNDS):
        child = run(LOADER, tmp_path)
        assert child.stdout is not None
        for _ in range(dice.randrange(1, 3)):
            child.stdout.readline()
        threading.Event().wait(dice.random() * 0.06)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        killed += child.returncode == -signal.SIGKILL
    assert killed > ROUNDS // 2
    child = run(LOADER, tmp_path)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 0, told.decode()
    store = EmbeddedStore(tmp_path / "e", Days("Europe/Berlin"))
    agree(store, oracle, [(BASE - 3 * DAY + 1, BASE - DAY - 1)])
    assert store.last_segment() == 15
    store.close()


REPAIRER = """
import sys
from crossfade.core.days import Days
from crossfade.store.embedded import EmbeddedStore
store = EmbeddedStore(__import__("pathlib").Path(sys.argv[1]), Days())
print("open", flush=True)
while True:
    store.repair(range(int(sys.argv[2]), int(sys.argv[2]) + 300), [Days().of(int(sys.argv[2]) * 60_000_000)])
    print("done", flush=True)
"""


def rollups(store):
    return {*ask(store, "SELECT n, count(*) FROM minute_rollup GROUP BY n"), *ask(store, "SELECT n FROM day_rollup")}


def test_a_repair_that_is_killed_is_done_or_was_never_begun(tmp_path):
    path = tmp_path / "events.duckdb"
    first = BASE // MINUTE
    items = [Item(f"m{number}", BASE + number * 10_000_000) for number in range(1_800)]
    store = EmbeddedStore(path, Days())
    load(store, tmp_path, 1, items)
    for statement in ("UPDATE minute_rollup SET n = n + 1", "UPDATE day_rollup SET n = n + 1"):
        ask(store, statement)
    store.close()
    wrong, right = {(7, 300), (1_801,)}, {(6, 300), (1_800,)}
    for wait in (0.0, 0.005, 0.02, 0.05):
        process = subprocess.Popen([sys.executable, "-c", REPAIRER, str(path), str(first)], stdout=subprocess.PIPE,
                                   text=True)
        assert process.stdout.readline() == "open\n"
        threading.Event().wait(wait)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        store = EmbeddedStore(path, Days())
        assert rollups(store) in (wrong, right)
        store.close()
    store = EmbeddedStore(path, Days())
    store.repair(range(first, first + 300), [Days().of(BASE)])
    assert rollups(store) == right
    store.close()
