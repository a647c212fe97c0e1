"""Settings: from the environment, a file, or neither; wrong ones are refused."""

import os
from pathlib import Path

import pydantic
import pytest

from crossfade.settings import Settings, default_data


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's settings."""
    for name in os.environ:
        if name.startswith(("CROSSFADE_", "XDG_")):
            monkeypatch.delenv(name)


def test_without_settings_there_are_safe_defaults() -> None:
    settings = Settings()
    assert settings.on_loopback
    assert settings.data == default_data()
    assert (settings.port, settings.time_zone, settings.raw_keep_days, settings.targets) == (8787, "UTC", None, {})


def test_data_lies_in_the_xdg_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_data() == tmp_path / ".local" / "share" / "crossfade"
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")
    assert default_data() == Path("/elsewhere/crossfade")


def test_arguments_win_over_the_environment_and_that_over_the_file(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "crossfade.toml"
    file.write_text('port = 1\nhost = "file"\ntime_zone = "Asia/Tokyo"\n[targets]\ndb = "tcp://db:5432"\n')
    monkeypatch.setenv("CROSSFADE_CONFIG", str(file))
    monkeypatch.setenv("CROSSFADE_PORT", "2")
    monkeypatch.setenv("CROSSFADE_HOST", "environment")
    settings = Settings(port=3)
    assert (settings.port, settings.host, settings.time_zone) == (3, "environment", "Asia/Tokyo")
    assert settings.targets == {"db": "tcp://db:5432"}


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"CROSSFADE_{name.upper()}", "")
    monkeypatch.setenv("CROSSFADE_CONFIG", "")
    assert Settings() == Settings.model_construct(**Settings().model_dump())
    assert Settings().data == default_data()


@pytest.mark.parametrize("name", ["CROSSFADE_ENABLE_MIGRATION_DASHBOARD", "ENABLE_MIGRATION_DASHBOARD",
                                  "NEXT_PUBLIC_ENABLE_MIGRATION_DASHBOARD"])
def test_the_guides_name_for_the_migration_dashboard_is_heeded(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert Settings().enable_migration_dashboard
    monkeypatch.setenv(name, "false")
    assert not Settings().enable_migration_dashboard
    assert Settings(enable_migration_dashboard=True).enable_migration_dashboard


def test_lists_and_tables_are_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSFADE_TARGETS", '{"web": "https://example.org"}')
    monkeypatch.setenv("CROSSFADE_ALLOWED_HOSTS", '["example.org"]')
    settings = Settings()
    assert settings.targets == {"web": "https://example.org"}
    assert settings.allowed_hosts == ["example.org"]


@pytest.mark.parametrize(("name", "value"), [
    ("port", -1), ("port", 65_536), ("port", "x"), ("time_zone", "Mars/Olympus"), ("time_zone", ""),
    ("time_zone", "../x"), ("time_zone", "Europe"), ("memory_limit", "much"), ("memory_limit", "1GB; DROP"),
    ("memory_limit", "100MB"), ("max_body_mb", 800),
    ("raw_keep_days", 1),
    ("max_body_mb", 0), ("max_body_mb", float("nan")), ("max_body_mb", float("inf")), ("max_event_kb", -1),
    ("max_event_kb", 20_000), ("journal_keep_hours", float("inf")), ("journal_keep_hours", -1),
    ("max_event_age_days", 0), ("max_clock_lead_s", -1), ("targets", {"db": "ftp://x"}), ("targets", {"db": "db:5432"}),
    ("log_level", "loud"), ("probe_timeout_s", 0), ("no_such_setting", 1),
])
def test_a_wrong_setting_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(pydantic.ValidationError) as found:
        Settings(**{name: value})
    assert found.value.errors()[0]["loc"][0] == name


def test_a_refused_value_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSFADE_TARGETS", '{"db": "ftp://user:hunter2@host"}')
    with pytest.raises(pydantic.ValidationError) as found:
        Settings()
    assert "hunter2" not in str(found.value)
    assert "'db'" in str(found.value)


@pytest.mark.parametrize(("content", "error"), [
    ("no toml", ValueError), ("port = 99999", pydantic.ValidationError), ("prot = 1", pydantic.ValidationError),
    (None, FileNotFoundError),
])
def test_a_wrong_file_is_refused(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, error: type[Exception]) -> None:
    file = tmp_path / "crossfade.toml"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("CROSSFADE_CONFIG", str(file))
    with pytest.raises(error):
        Settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(pydantic.ValidationError):
        Settings().port = 1


@pytest.mark.parametrize(("host", "loopback"), [
    ("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("", False), ("example.org", False),  # noqa: S104
])
def test_loopback_is_known(host: str, loopback: bool) -> None:
    assert Settings(host=host).on_loopback == loopback


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description and field.description.endswith(".") for field in Settings.model_fields.values())
