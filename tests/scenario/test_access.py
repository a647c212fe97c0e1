"""Keys, and who may read."""

import stat

from .conftest import Server


def test_keys_are_made_once_kept_private_and_found_by_the_command_line(server: Server) -> None:
    server.start()
    keys = server.keys
    assert stat.S_IMODE((server.data / "keys.json").stat().st_mode) == 0o600
    server.cli("flags")
    status, log = server.stop()
    assert status == 0
    assert keys.admin_token not in log
    server.start()
    assert server.keys == keys


def test_keys_may_come_from_the_environment(server: Server) -> None:
    server.start(CROSSFADE_ADMIN_TOKEN="an-admin-token-of-mine", CROSSFADE_WRITE_KEY="a-write-key-of-mine")
    assert server.keys.admin_token == "an-admin-token-of-mine"
    assert server.batch().status_code == 200
    server.set_flags(logDataSources=True)


def test_reading_is_open_on_loopback_under_its_own_names_alone(server: Server) -> None:
    server.start()
    assert server.http.get("/api/flags", headers={"Host": "localhost"}).status_code == 200
    answer = server.http.get("/api/flags", headers={"Host": "rebound.example"})
    assert answer.status_code == 403
    assert answer.json()["code"] == "unknown_host"


def test_off_loopback_reading_needs_the_token(server: Server) -> None:
    server.start("--host", "0.0.0.0")  # noqa: S104 - that is the point
    server.http.base_url = server.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    for path in ("/", "/api/dashboard/live", "/api/history", "/api/flags", "/api/audit", "/api/dashboard/stream"):
        assert server.http.get(path).status_code == 401, path
    assert server.http.get("/readyz").status_code == 200
    assert server.http.get("/api/dashboard/live", headers=server.admin).status_code == 200


def test_pages_carry_a_strict_policy(server: Server) -> None:
    server.start()
    page = server.http.get("/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "MOCK" in page.text
    for name in ("app.css", "dashboard.js", "favicon.svg"):
        assert server.http.get(f"/static/{name}").status_code == 200, name
    assert server.http.get("/static/../api.py").status_code == 404
