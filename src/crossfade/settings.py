"""What can be set: by ``CROSSFADE_…`` in the environment, or in a TOML file; the environment wins."""

import errno
import os
import re
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from crossfade.core import memory
from crossfade.core.reading import STAND_INS, Reason

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_TARGET_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


def default_data() -> Path:
    """Where data goes when nobody says: the XDG data folder."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "crossfade"


def _stand_ins(reasons: list[Reason]) -> list[Reason]:
    if not set(reasons) <= set(STAND_INS) or len(set(reasons)) < len(reasons):
        raise ValueError(f"stand-ins are, each once: {', '.join(STAND_INS)}")
    return reasons


class ComponentSettings(BaseModel):
    """What one component has for itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    source_timeout_s: float | None = Field(None, gt=0)
    stale_limit_s: float | None = Field(None, ge=0)
    shadow_share: float | None = Field(None, ge=0, le=1)
    stand_ins: Annotated[list[Reason], AfterValidator(_stand_ins)] | None = None


class Settings(BaseSettings):
    """Everything the server reads at its start. Names are those of the environment, in lower case."""

    model_config = SettingsConfigDict(env_prefix="CROSSFADE_", extra="forbid", frozen=True, env_ignore_empty=True,
                                      allow_inf_nan=False, hide_input_in_errors=True)

    data: Path = Field(default_factory=default_data, description="Folder of the journal, the stores and the keys.")
    host: str = Field("127.0.0.1", description="Address to listen on. Off loopback, reading needs a sign-in or the "
                      "admin token too.")
    require_sign_in: bool = Field(False, description="Whether reading needs a sign-in, or the admin token, on loopback "
                                  "too.")
    port: int = Field(8787, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    time_zone: str = Field("UTC", description="The zone in which a day is a day. Fixed at the first start.")
    memory_limit: str = Field("1GB", description="Memory that the server may take, all of it, such as 512MB or 2GiB; "
                              "384MB at the least. The event store's engine gets most of it.")
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
    shadow_share: float = Field(1, ge=0, le=1, description="Of the readings, how many have the other source read in "
                                "the shadow, where the component's shadow flag is on.")
    stand_ins: list[Reason] = Field(default_factory=lambda: list(STAND_INS), description="What may stand in for a "
                                    "failing real source while fallback is on, the best first: `stale`, `legacy`, "
                                    "`fallback` (the mock).")
    per_component: dict[str, ComponentSettings] = Field(default_factory=dict, description="By component: "
                                                        "`source_timeout_s`, `stale_limit_s`, `shadow_share`, "
                                                        "`stand_ins`, where they differ from these.")
    components: list[str] = Field(default_factory=list, description="Components of your own: `module:object`, an "
                                  "object of `crossfade.fade.Crossfade`.")
    reading_max_age_s: float = Field(1, ge=0, description="One computation of a component serves all viewers for "
                                     "this long.")
    probe_interval_s: float = Field(10, gt=0, description="Pause between two probes of the infrastructure.")
    probe_timeout_s: float = Field(3, gt=0, description="How long a probe may take.")
    targets: dict[str, str] = Field(default_factory=dict, description="Further parts to probe: a name, and an "
                                    "http://, https:// or tcp://host:port address.")
    allowed_hosts: list[str] = Field(default_factory=list, description="Host names, beside loopback and `host`, "
                                     "under which the server may be addressed.")
    alert_targets: dict[str, SecretStr] = Field(default_factory=dict, description="Whom alerts are delivered to: a "
                                                "name, and an apprise address such as mailto://…; secret.")
    alert_pending_s: float = Field(60, ge=0, description="For how long a condition must hold before it is an alert.")
    alert_hold_s: float = Field(120, ge=0, description="For how long it must be gone before its alert closes; longer "
                                "for one that came back.")
    alert_daily_cap: int = Field(50, ge=1, description="Messages that a target gets in 24 hours; what is beyond is "
                                 "withheld, and shown as such.")
    quality_window_s: float = Field(900, ge=60, description="The window over which quality is told.")
    quality_threshold: float = Field(95, ge=0, le=100, description="Per cent that each dimension of a component's "
                                     "quality should reach.")
    accuracy_threshold: float = Field(95, ge=0, le=100, description="Per cent of the recounted windows that should be "
                                      "proved to agree.")
    fallbacks_noted: int = Field(10, ge=0, description="Fallbacks to the mock, within the window, above which it is "
                                 "worth a word.")
    fallbacks_allowed: int = Field(50, ge=0, description="Fallbacks above which it is a warning.")
    errors_allowed: int = Field(5, ge=0, description="Failed calls of a real source within the window.")
    error_rate_allowed: float = Field(1, ge=0, le=100, description="Per cent of a real source's calls that may fail.")
    p95_allowed_ms: float = Field(250, gt=0, description="The 95th percentile that a real source's calls may take.")
    audit_cpu_share: float = Field(0.05, ge=0, le=1, description="Share of one core that the auditor may take to "
                                   "compare figures with the events, all the time; 0 leaves it to `crossfade audit`.")
    second_reader_interval_s: float = Field(15, ge=1, description="Time between two comparisons of what is told of the "
                                            "server, its machine and its stores with a second reader.")
    drill_all_components: bool = Field(False, description="Whether a drill may switch the components' own flags, which "
                                       "shows real data for a moment.")
    retire_after_days: float = Field(7, ge=0, le=3650, description="For how long a component must have been real only, "
                                     "for every viewer and with fallback off, before its mock may be retired.")
    enable_migration_dashboard: bool = Field(True, validation_alias=AliasChoices(
        "crossfade_enable_migration_dashboard", "enable_migration_dashboard",
        "next_public_enable_migration_dashboard"), description="Whether `/admin/migration-dashboard` is there. The "
        "guide's name for it, `NEXT_PUBLIC_ENABLE_MIGRATION_DASHBOARD`, is heeded too.")
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

    @field_validator("memory_limit")
    @classmethod
    def _known_size(cls, text: str) -> str:
        memory.share(memory.parse(text), 1)
        return text

    @field_validator("max_body_mb")
    @classmethod
    def _fitting_body(cls, size: float, told: ValidationInfo) -> float:
        if (limit := told.data.get("memory_limit")) is not None:
            memory.share(memory.parse(limit), int(size * 1e6))
        return size

    @field_validator("stand_ins")
    @classmethod
    def _known_stand_ins(cls, reasons: list[Reason]) -> list[Reason]:
        return _stand_ins(reasons)

    @field_validator("targets")
    @classmethod
    def _known_scheme(cls, targets: dict[str, str]) -> dict[str, str]:
        for name, address in targets.items():
            if not address.startswith(("http://", "https://", "tcp://")):
                raise ValueError(f"target {name!r} is not an http://, https:// or tcp:// address")
        return targets

    @field_validator("alert_targets")
    @classmethod
    def _named_targets(cls, targets: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, address in targets.items():
            if not _TARGET_NAME.fullmatch(name):
                raise ValueError(f"{name[:60]!r} cannot name an alert target: letters, digits, - and _ can, up to 60")
            if "://" not in address.get_secret_value():
                raise ValueError(f"the alert target {name!r} has no address of the form service://…")
        return targets

    @property
    def shares(self) -> memory.Shares:
        """What each part may take of the memory."""
        return memory.share(memory.parse(self.memory_limit), int(self.max_body_mb * 1e6))

    @property
    def on_loopback(self) -> bool:
        return self.host in LOOPBACK

    @property
    def open_to_readers(self) -> bool:
        """Whether whoever reaches the server may read."""
        return self.on_loopback and not self.require_sign_in

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
