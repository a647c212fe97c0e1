"""What can be set: by ``CROSSFADE_…`` in the environment, or in a TOML file; the environment wins."""

import errno
import os
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def default_data() -> Path:
    """Where data goes when nobody says: the XDG data folder."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "crossfade"


class Settings(BaseSettings):
    """Everything the server reads at its start. Names are those of the environment, in lower case."""

    model_config = SettingsConfigDict(env_prefix="CROSSFADE_", extra="forbid", frozen=True, env_ignore_empty=True,
                                      allow_inf_nan=False, hide_input_in_errors=True)

    data: Path = Field(default_factory=default_data, description="Folder of the journal, the stores and the keys.")
    host: str = Field("127.0.0.1", description="Address to listen on. Off loopback, reading needs the token too.")
    port: int = Field(8787, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    time_zone: str = Field("UTC", description="The zone in which a day is a day. Fixed at the first start.")
    memory_limit: str = Field("1GB", pattern=r"^\d+(\.\d+)?\s?(KB|MB|GB|KiB|MiB|GiB)$",
                              description="Memory for the event store's engine.")
    journal_keep_hours: float = Field(48, ge=0, description="How long loaded journal segments are kept, compressed.")
    raw_keep_days: int | None = Field(None, ge=2, description="How long raw events are kept; rollups and daily "
                                      "stats stay. Unset keeps them for good. Older events are refused.")
    max_body_mb: float = Field(10, gt=0, description="Largest request body, before and after decompression × 4.")
    max_event_kb: float = Field(256, gt=0, le=16_000, description="Largest single event.")
    max_pending_mb: float = Field(256, gt=0, description="Journal not yet in the store, beyond which ingest "
                                  "answers 503.")
    max_event_age_days: int = Field(7300, gt=0, le=18_000, description="Events older than this are refused.")
    max_clock_lead_s: float = Field(300, ge=0, description="How far in the future an event may lie.")
    request_window_s: float = Field(300, gt=0, description="The sliding window of the system metrics.")
    scan_timeout_h: float = Field(24, gt=0, description="A scan without its end counts as running for this long.")
    source_timeout_s: float = Field(5, gt=0, description="How long a component's source may take.")
    stale_limit_s: float = Field(300, ge=0, description="For how long the last good real value may stand in for "
                                 "a failing source, labelled stale.")
    reading_max_age_s: float = Field(1, ge=0, description="One computation of a component serves all viewers for "
                                     "this long.")
    probe_interval_s: float = Field(10, gt=0, description="Pause between two probes of the infrastructure.")
    probe_timeout_s: float = Field(3, gt=0, description="How long a probe may take.")
    targets: dict[str, str] = Field(default_factory=dict, description="Further parts to probe: a name, and an "
                                    "http://, https:// or tcp://host:port address.")
    allowed_hosts: list[str] = Field(default_factory=list, description="Host names, beside loopback and `host`, "
                                     "under which the server may be addressed.")
    audit_cpu_share: float = Field(0.05, ge=0, le=1, description="Share of one core that the auditor may take to "
                                   "compare figures with the events, all the time; 0 leaves it to `crossfade audit`.")
    mock_seed: int = Field(5, description="Seed of the synthetic values.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError):
            raise ValueError(f"{zone!r} is not a time zone; give one such as UTC or Europe/Berlin") from None
        return zone

    @field_validator("targets")
    @classmethod
    def _known_scheme(cls, targets: dict[str, str]) -> dict[str, str]:
        for name, address in targets.items():
            if not address.startswith(("http://", "https://", "tcp://")):
                raise ValueError(f"target {name!r} is not an http://, https:// or tcp:// address")
        return targets

    @property
    def on_loopback(self) -> bool:
        return self.host in LOOPBACK

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before the environment before the file named by ``CROSSFADE_CONFIG``."""
        file = os.environ.get("CROSSFADE_CONFIG")
        if not file:
            return (init_settings, env_settings)
        if not Path(file).is_file():  # the source would pass over it in silence
            raise FileNotFoundError(errno.ENOENT, "there is no such file", file)
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(file)))
