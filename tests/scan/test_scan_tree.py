"""What every kind of tree must do, local or not; and what fsspec's may do beside."""

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from crossfade.scan import Kind
from crossfade.scan.local import LocalTree
from crossfade.scan.remote import FsspecTree
from crossfade.scan.tree import ChangedError, Found, Issue, Tree

Put = Callable[[str, bytes], None]


def memory() -> MemoryFileSystem:
    return MemoryFileSystem(global_store=False, skip_instance_cache=True)


@pytest.fixture(params=["local", "memory"])
def place(request, tmp_path) -> tuple[Tree, Put]:
    """A tree with a few files, and how to write to it."""
    if request.param == "local":
        def put(name: str, content: bytes) -> None:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        tree: Tree = LocalTree(str(tmp_path))
    else:
        system = memory()
        system.mkdir("/top")

        def put(name: str, content: bytes) -> None:
            system.pipe_file(f"/top/{name}", content)
        tree = FsspecTree(system, "/top")
    for name, content in {"a": b"one", "sub/deep/b": b"twelve bytes", "sub/empty": b""}.items():
        put(name, content)
    return tree, put


def named(tree: Tree) -> dict[str, str]:
    """The tree's paths by what they end in."""
    return {entry.path.rsplit("/", 1)[-1]: entry.path for entry in tree.walk() if isinstance(entry, Found)}


def test_walk_gives_each_file_once_with_its_size(place):
    tree, _ = place
    entries = list(tree.walk())
    assert all(isinstance(entry, Found) and entry.readable for entry in entries)
    assert sorted((tree.show(entry.path).removeprefix(tree.root), entry.size) for entry in entries) == [
        ("/a", 3), ("/sub/deep/b", 12), ("/sub/empty", 0)]


def test_open_reads_any_part(place):
    tree, _ = place
    with tree.open(named(tree)["b"]) as file:
        assert file.read(7, 100) == b"bytes"
        assert file.read(0, 6) == b"twelve"
        assert file.read(12, 5) == b""
        assert file.stat() == tree.stat(named(tree)["b"])


def test_stat_tells_a_rewritten_file(place):
    tree, put = place
    path = named(tree)["b"]
    before = tree.stat(path)
    assert before == tree.stat(path)
    put("sub/deep/b", b"another dozen")
    assert before != tree.stat(path)


def test_remove_takes_the_file_expected_and_no_other(place):
    tree, put = place
    path = named(tree)["b"]
    before = tree.stat(path)
    put("sub/deep/b", b"rewritten since then")
    with pytest.raises(ChangedError):
        tree.remove(path, before)
    assert path in named(tree).values()
    tree.remove(path, tree.stat(path))
    assert sorted(named(tree)) == ["a", "empty"]


def test_what_is_missing_raises(place):
    tree, _ = place
    path = named(tree)["a"]
    now = tree.stat(path)
    tree.remove(path, now)
    with pytest.raises(FileNotFoundError):
        tree.stat(path)
    with pytest.raises(FileNotFoundError):
        tree.remove(path, now)
    with pytest.raises(FileNotFoundError), tree.open(path):
        pass


def test_local_never_reaches_through_a_link(tmp_path):
    (tmp_path / "top" / "sub").mkdir(parents=True)
    (tmp_path / "top" / "sub" / "a").write_bytes(b"x")
    tree = LocalTree(str(tmp_path / "top"))
    now = tree.stat("sub/a")
    (tmp_path / "top" / "sub").rename(tmp_path / "elsewhere")
    (tmp_path / "top" / "sub").symlink_to(tmp_path / "elsewhere")
    for reach in (lambda: tree.stat("sub/a"), lambda: tree.remove("sub/a", now)):
        with pytest.raises(NotADirectoryError):
            reach()
    assert (tmp_path / "elsewhere" / "a").exists()


def test_local_notices_another_folder_in_its_place(tmp_path):
    for name in ("top", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(b"x")
    tree = LocalTree(str(tmp_path / "top"))
    (tmp_path / "top").rename(tmp_path / "gone")
    (tmp_path / "other").rename(tmp_path / "top")
    with pytest.raises(ChangedError):
        tree.stat("a")


class Hostile(MemoryFileSystem):
    """A file system that raises what it likes and lists what no honest one would."""

    def ls(self, path, detail=True, **kwargs):
        if path.endswith("/broken"):
            raise KeyError("from deep inside a package")
        if path.endswith("/endless"):
            return [{"name": f"{path}/endless", "type": "directory", "size": 0}]
        if path == "/top":
            return [
                *super().ls(path, detail), *super().ls(path, detail),
                {"name": "/top/", "type": "directory", "size": 0},
                {"name": "/top/endless", "type": "directory", "size": 0},
                {"name": "/top/broken", "type": "directory", "size": 0},
                {"name": "/top/unsized", "type": "file", "size": None},
                {"name": "/top/negative", "type": "file", "size": -1},
                {"name": "/top/link", "type": "link", "size": 3},
                {"name": "/top/linked", "type": "file", "size": 3, "islink": True},
                {"name": "/top/odd", "type": "other", "size": 3},
            ]
        return super().ls(path, detail, **kwargs)

    def _open(self, path, mode="rb", **kwargs):
        if path.endswith("/locked") and mode == "rb":
            raise RuntimeError("no \udcff lease")
        return super()._open(path, mode, **kwargs)


def test_a_hostile_file_system_gives_issues_not_exceptions():
    system = Hostile(global_store=False, skip_instance_cache=True)
    system.pipe_file("/top/good", b"x")
    tree = FsspecTree(system, "/top")
    entries = list(tree.walk())
    assert [entry.path for entry in entries if isinstance(entry, Found)] == ["/top/good"]
    issues = {entry.path.rsplit("/", 1)[-1]: entry.error for entry in entries if isinstance(entry, Issue)}
    assert issues == {
        "endless": Kind.LOOP, "broken": Kind.UNREADABLE, "unsized": Kind.UNREADABLE, "negative": Kind.UNREADABLE,
        "link": Kind.LINK, "linked": Kind.LINK, "odd": Kind.IRREGULAR,
    }


def test_a_file_that_raises_is_an_error_of_the_scan(scanner, monkeypatch):
    system = Hostile(global_store=False, skip_instance_cache=True)
    for name in ("a", "b", "locked"):
        system.pipe_file(f"/some/{name}", b"x")
    monkeypatch.setattr("crossfade.scan.engine.open_tree", lambda *_: FsspecTree(system, "/some"))
    result = scanner.scan("hostile://some")
    assert (result.files, result.duplicates) == (3, 1)
    assert [(found.path, found.error) for found in result.errors] == [("memory:///some/locked", Kind.UNREADABLE)]
    assert result.errors[0].message == "RuntimeError: no \N{REPLACEMENT CHARACTER} lease"


class Lying(MemoryFileSystem):
    """A file system that says its files are longer than they are."""

    def ls(self, path, detail=True, **kwargs):
        return [entry | {"size": entry["size"] + 5} for entry in super().ls(path, detail, **kwargs)]

    def info(self, path, **kwargs):
        entry = super().info(path, **kwargs)
        return entry | {"size": entry["size"] + 5}


def test_a_file_that_ends_before_its_size_is_an_error(scanner, monkeypatch):
    system = Lying(global_store=False, skip_instance_cache=True)
    for name in ("a", "b"):
        system.pipe_file(f"/some/{name}", b"x")
    monkeypatch.setattr("crossfade.scan.engine.open_tree", lambda *_: FsspecTree(system, "/some"))
    result = scanner.scan("lying://some")
    assert (result.total_size, result.sets) == (12, ())
    assert [found.message for found in result.errors] == ["it ends before its size"] * 2


class Remembering(MemoryFileSystem):
    """A file system that answers from memory until it is told to forget."""

    known: dict[str, dict[str, object]] = {}  # noqa: RUF012 - as fsspec's own file systems do

    def info(self, path, **kwargs):
        if path not in self.known:
            self.known[path] = super().info(path, **kwargs)
        return self.known[path]

    def invalidate_cache(self):
        self.known.clear()


def test_a_remembered_answer_does_not_hide_a_change():
    system = Remembering(global_store=False, skip_instance_cache=True)
    system.pipe_file("/some/a", b"x")
    tree = FsspecTree(system, "/some")
    before = tree.stat("/some/a")
    system.pipe_file("/some/a", b"longer")
    assert tree.stat("/some/a") != before


@pytest.mark.parametrize(("told", "expected"), [
    ({"mtime": 2.5}, 2_500_000_000),
    ({"LastModified": datetime(1970, 1, 1, 0, 0, 3, tzinfo=UTC)}, 3_000_000_000),
    ({"updated": "1970-01-01T00:00:04Z"}, 4_000_000_000),
    ({"modified": datetime(1970, 1, 1, 0, 0, 5)}, 5_000_000_000),  # noqa: DTZ001 - as some file systems give it
    ({"updated": "yesterday"}, 0),
    ({"mtime": [1]}, 0),
    ({}, 0),
])
def test_times_are_understood_as_file_systems_tell_them(monkeypatch, told, expected):
    system = memory()
    monkeypatch.setattr(system, "info", lambda path: {"name": path, "type": "file", "size": 1, **told})
    assert FsspecTree(system, "/").stat("/x").mtime_ns == expected


def test_scan_and_clean_up_over_a_url(scanner):
    system = MemoryFileSystem()
    for name, content in {"a": b"same", "sub/b": b"same", "c": b"diff", "e1": b"", "e2": b""}.items():
        system.pipe_file(f"/by-url/{name}", content)
    result = scanner.scan("memory://by-url")
    assert (result.files, result.total_size, result.duplicates, result.root) == (5, 12, 2, "memory:///by-url")
    assert scanner.of("duplicate_detected")[1]["path"] == "memory:///by-url/sub/b"
    cleanup = scanner.clean(result)
    assert (cleanup.removed, cleanup.freed, cleanup.errors) == (1, 4, ())
    assert scanner.scan("memory://by-url").files == 4
    system.rm("/by-url", recursive=True)


def test_an_archive_can_be_scanned_but_not_cleaned(scanner, tmp_path):
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as writer:
        for name in ("a", "sub/b", "sub/c"):
            writer.writestr(name, b"x" * 9_000)
        writer.writestr("d", b"x" * 8_999 + b"!")
    result = scanner.scan(f"zip://::{archive}")
    assert (result.files, result.duplicates, result.errors) == (4, 2, ())
    cleanup = scanner.clean(result)
    assert cleanup.removed == 0
    assert [found.error for found in cleanup.errors] == [Kind.UNREADABLE] * 2


def test_a_file_url_is_the_local_folder(scanner, tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "l").symlink_to("a")
    result = scanner.scan(f"file://{tmp_path}")
    assert (result.files, result.links, result.root) == (1, 1, str(Path(tmp_path).resolve()))
