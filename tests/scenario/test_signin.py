"""Signing in to a real server, as a browser does it: with a cookie jar, forms, and what they carry."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from .conftest import Server

PASSWORD = "correct horse battery"
PAGE = {"Accept": "text/html"}


class Browser(httpx.Client):
    """Follows nothing by itself, and fills in what forms hide."""

    def __init__(self, server: Server, **headers: str) -> None:
        super().__init__(base_url=server.url.replace("0.0.0.0", "127.0.0.1"), trust_env=False, timeout=30,  # noqa: S104
                         headers={**PAGE, "User-Agent": "Firefox", "Sec-Fetch-Site": "same-origin", **headers})

    def form(self, address: str, action: str) -> dict[str, str]:
        """The hidden fields of a page's form."""
        page = self.get(address)
        assert page.status_code == 200, page.text
        found = re.search(rf'<form method="post" action="{action}">(.*?)</form>', page.text, re.DOTALL)
        assert found is not None, page.text
        return {name: unescape(value) for name, value
                in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', found[1])}

    def sign_in(self, name: str, password: str, address: str = "/login") -> httpx.Response:
        return self.post("/login", data={**self.form(address, "/login"), "name": name, "password": password})

    def follow(self, link: str) -> httpx.Response:
        return self.post("/login", data=self.form(link, "/login"))

    @property
    def may_read(self) -> bool:
        answer = self.get("/api/flags")
        assert answer.status_code in {200, 401}
        return answer.status_code == 200


@contextmanager
def browser(server: Server, **headers: str) -> Iterator[Browser]:
    with Browser(server, **headers) as made:
        yield made


@pytest.fixture
def closed(server: Server) -> Server:
    """A server that nobody may read without signing in, and ann who may act."""
    server.start(CROSSFADE_REQUIRE_SIGN_IN="true")
    add(server, "Ann", "operator")
    return server


def add(server: Server, name: str, role: str) -> None:
    answer = server.http.post("/api/users", json={"name": name, "role": role, "password": PASSWORD},
                              headers=server.admin)
    assert answer.status_code == 201, answer.text


def link_for(server: Server, name: str) -> str:
    return server.http.post("/api/sign-in-links", json={"user": name}, headers=server.admin).json()["path"]


def link_of(server: Server, *arguments: str) -> str:
    """The link that a command prints."""
    return server.cli(*arguments).stdout.decode().split()[-1]


def test_with_a_password_one_is_in_and_acts_under_one_s_name(closed: Server) -> None:
    with browser(closed) as ann:
        answer = ann.get("/?range=7d")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/%3Frange%3D7d")
        answer = ann.sign_in("ann", PASSWORD, answer.headers["location"])
        assert (answer.status_code, answer.headers["location"]) == (303, "/?range=7d")
        cookie = SimpleCookie(answer.headers["set-cookie"])["crossfade_session"]
        assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["path"], cookie["domain"]) == (
            True, "lax", "", "/", "")
        page = ann.get("/")
        assert "Signed in as" in page.text
        csrf = ann.form("/", "/logout")["csrf"]
        assert ann.patch("/api/flags", json={"logDataSources": True}).status_code == 403
        answer = ann.patch("/api/flags", json={"logDataSources": True}, headers={"X-CSRF-Token": csrf})
        assert answer.json()["logDataSources"] is True
        assert ann.get("/api/audit").json()[0]["who"] == "ann"
        answer = ann.get("/api/users")
        assert (answer.status_code, answer.json()["message"]) == (403, "ann is operator; this needs the role admin")
        closed.cli("users", "role", "ann", "viewer")
        answer = ann.patch("/api/flags", json={"logDataSources": False}, headers={"X-CSRF-Token": csrf})
        assert answer.json()["message"] == "ann is viewer; this needs the role operator"
        assert ann.post("/logout", data={"csrf": csrf}).headers["location"] == "/login"
        assert not ann.may_read
        assert "crossfade_session" not in ann.cookies


def test_over_tls_the_cookies_are_for_tls_alone(closed: Server) -> None:
    with browser(closed, **{"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}) as ann:
        page = ann.get("/login")
        form = SimpleCookie(page.headers["set-cookie"])["__Host-crossfade_form"]
        assert (form["secure"], form["httponly"], form["samesite"]) == (True, True, "strict")
        ann.headers["Cookie"] = f"__Host-crossfade_form={form.value}"  # as the jar would, over TLS
        csrf = re.search(r'name="csrf" value="(\w+)"', page.text)[1]
        answer = ann.post("/login", data={"csrf": csrf, "name": "ann", "password": PASSWORD})
        cookie = SimpleCookie(answer.headers["set-cookie"])["__Host-crossfade_session"]
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, True, "lax", "/")


def test_the_link_of_the_start_signs_in_once_and_not_by_a_look(server: Server) -> None:
    server.start("--host", "0.0.0.0")  # noqa: S104
    assert server.process is not None
    line = server.process.stdout.readline()
    assert line.startswith("Sign in as admin, once, within 15 minutes: http://127.0.0.1:")
    link = line.split()[-1]
    with browser(server) as admin, browser(server) as thief:
        for _ in range(3):
            assert admin.get(link).status_code == 200
            assert admin.head(link).status_code in {200, 405}
        assert not admin.may_read
        assert admin.follow(link).status_code == 303
        assert admin.get("/api/users").json()[0]["name"] == "admin"
        answer = thief.follow(link)
        assert answer.status_code == 401
        assert "was used, or has expired" in answer.text
        assert not thief.may_read


def test_a_link_expires(closed: Server) -> None:
    link = link_for(closed, "ann")
    with closing(sqlite3.connect(closed.data / "state.sqlite")) as state:
        left = state.execute("SELECT max(expires_at) - strftime('%s') * 1000000 FROM links").fetchone()[0]
        assert 0 < left < (15 * 60 + 1) * 1_000_000  # the database counts whole seconds
        state.execute("UPDATE links SET expires_at = strftime('%s') * 1000000")
        state.commit()
    with browser(closed) as ann:
        assert ann.follow(link).status_code == 401
        assert not ann.may_read


def test_a_wrong_password_and_then_too_many(closed: Server) -> None:
    with browser(closed) as guesser:
        for name in ("zed", *["ann"] * 10):
            answer = guesser.sign_in(name, "wrong" * 4)
            assert answer.status_code == 401
            assert "The name or the password is not right." in answer.text
            assert f'value="{name}"' in answer.text
        answer = guesser.sign_in("ann", PASSWORD)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 900
        assert "Too many attempts failed: try again in 15 min." in answer.text
        assert guesser.follow(link_for(closed, "ann")).status_code == 303


def test_who_is_put_out_is_out_at_once(closed: Server) -> None:
    add(closed, "bob", "viewer")
    with browser(closed) as ann, browser(closed) as bob:
        ann.sign_in("ann", PASSWORD)
        bob.sign_in("bob", PASSWORD)
        assert ann.may_read
        assert bob.may_read
        closed.cli("users", "disable", "ann")
        assert not ann.may_read
        assert bob.may_read
        closed.cli("users", "sign-out", "bob")
        assert not bob.may_read
        assert ann.sign_in("ann", PASSWORD).status_code == 401
        assert bob.sign_in("bob", PASSWORD).status_code == 303


def test_one_may_sign_out_everywhere_and_change_one_s_password(closed: Server) -> None:
    with browser(closed) as here, browser(closed) as there:
        for one in (here, there):
            one.sign_in("ann", PASSWORD)
        form = here.form("/login", "/login/password")
        answer = here.post("/login/password", data={**form, "current": PASSWORD, "new": "one" * 5, "again": "two" * 5})
        assert (answer.status_code, "repetition differ" in answer.text) == (400, True)
        answer = here.post("/login/password", data={**form, "current": "wrong", "new": "new" * 5, "again": "new" * 5})
        assert answer.status_code == 401
        answer = here.post("/login/password", data={**form, "current": PASSWORD, "new": "new" * 5, "again": "new" * 5})
        assert answer.status_code == 303
        assert here.may_read
        assert not there.may_read
        there.sign_in("ann", "new" * 5)
        assert there.may_read
        here.post("/logout/everywhere", data=here.form("/login", "/logout/everywhere"))
        assert not here.may_read
        assert not there.may_read


def test_nobody_is_sent_elsewhere(closed: Server) -> None:
    for evil in ("https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example"):
        with browser(closed) as ann:
            form = ann.form(f"/login?next={quote(evil)}", "/login")
            assert form["next"] == "/"
            answer = ann.post("/login", data={**form, "next": evil, "name": "ann", "password": PASSWORD})
            assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_form_of_another_site_signs_nobody_in_or_out(closed: Server) -> None:
    with browser(closed) as ann, browser(closed) as attacker:
        stolen = attacker.form("/login", "/login")
        right = ann.form("/login", "/login")
        for fields, headers in (({}, {}), ({"csrf": "x"}, {}), (stolen, {}), (right, {"Sec-Fetch-Site": "cross-site"})):
            answer = ann.post("/login", data={**fields, "name": "ann", "password": PASSWORD}, headers=headers)
            assert answer.status_code == 403, (fields, headers)
            assert "session" not in answer.headers.get("set-cookie", "")
        ann.sign_in("ann", PASSWORD)
        answer = ann.post("/logout", data={}, headers=PAGE)
        assert answer.status_code == 403
        assert "This form is too old" in answer.text
        assert ann.may_read


def test_hostile_forms_are_refused_and_the_server_goes_on(closed: Server) -> None:
    with browser(closed) as ann:
        form = ann.form("/login", "/login")
        bodies = [b"\xff\xfe=\x00", b"&".join(b"a=b" for _ in range(1_000)), b"x" * 30_000, b"name=" + b"a" * 19_000,
                  b"csrf=%ff&name=%ff&password=%ed%a0%80", b"{}"]
        for body in bodies:
            answer = ann.post("/login", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
            assert 400 <= answer.status_code < 500, body[:20]
        answer = ann.post("/login", data={**form, "name": "<script>alert(1)</script>", "password": "\0" * 500})
        assert answer.status_code == 401
        assert "<script>alert" not in answer.text
        assert ann.get("/", headers={"Cookie": "crossfade_session=" + "x" * 4_000}).status_code == 303
        assert ann.sign_in("ann", PASSWORD).status_code == 303
    _, log = closed.stop()
    assert "request failed" not in log


def test_sign_ins_are_counted_like_any_application_s(closed: Server) -> None:
    closed.set_flags(useRealBusinessMetrics=True)
    with browser(closed) as ann:
        ann.sign_in("ann", "wrong" * 4)
        ann.sign_in("ann", PASSWORD)
        add(closed, "bob", "viewer")
        ann.follow(link_for(closed, "bob"))
    closed.await_loaded()
    answer = closed.http.get("/api/dashboard/live", params={"section": "business"}, headers=closed.admin)
    business = answer.json()["business"]
    assert (business["activeUsers"], business["authSuccessRate"]) == (2, pytest.approx(66.67, abs=0.01))


def test_no_secret_is_in_the_log_or_in_the_database(server: Server) -> None:
    server.start(CROSSFADE_LOG_LEVEL="debug", CROSSFADE_REQUIRE_SIGN_IN="true")
    add(server, "ann", "viewer")
    first, second = link_of(server, "login"), link_for(server, "ann")
    secrets = [PASSWORD, first.split("=")[-1], second.split("=")[-1], server.keys.admin_token, "hunter2hunter2"]
    with browser(server) as ann, browser(server) as admin:
        ann.sign_in("ann", "hunter2hunter2")
        ann.sign_in("hunter2hunter2", PASSWORD)
        ann.sign_in("ann", PASSWORD)
        admin.follow(first)
        form = ann.form("/login", "/login/password")
        ann.post("/login/password", data={**form, "current": PASSWORD, "new": "hunter2hunter2",
                                          "again": "hunter2hunter2"})
        answer = admin.post("/api/users", json={"name": "eve", "password": "hunter2hunter2", "more": 1},
                            headers={"X-CSRF-Token": admin.form("/login", "/logout")["csrf"]})
        assert answer.status_code == 400
        assert "hunter2" not in answer.text
        for jar in (ann, admin):
            secrets += [jar.cookies["crossfade_session"], jar.cookies["crossfade_form"],
                        jar.form("/login", "/logout")["csrf"]]
    _, log = server.stop()
    kept = b"".join(path.read_bytes() for path in server.data.glob("state.sqlite*"))
    kept += b"".join(path.read_bytes() for path in server.data.glob("journal/*"))
    assert '"signed in"' in log
    for secret in secrets:
        assert secret not in log
        assert secret.encode() not in kept
    assert b"$argon2id$" in kept


def test_users_on_the_command_line(server: Server) -> None:
    server.start()
    server.cli("users", "add", "ann", "--password-stdin", stdin=b"short\n", check=2)
    server.cli("users", "add", "ann", check=2, stdin=b"")
    server.cli("users", "add", "ann", "--password-stdin", "--role", "operator", stdin=f"{PASSWORD}\r\n".encode())
    assert b"there is a user ann already" in server.cli("users", "add", "ann", "--link", check=1).stderr
    with browser(server) as ann:
        assert ann.sign_in("ann", PASSWORD).status_code == 303
    assert b'"role": "viewer"' in server.cli("users", "role", "ann", "viewer", "--json").stdout
    server.cli("users", "disable", "ann")
    assert b"disabled" in server.cli("users", "list").stdout
    assert b"the user ann is disabled" in server.cli("users", "link", "ann", check=1).stderr
    server.cli("users", "enable", "ann")
    server.cli("users", "password", "ann", "--password-stdin", stdin=b"another password\n")
    server.cli("users", "remove", "ann")
    assert b"not removed" in server.cli("users", "remove", "admin", check=1).stderr
    server.cli("users", "disable", "admin")
    assert b"is disabled" in server.cli("login", check=1).stderr
    server.stop()
    server.start()
    assert server.process is not None
    assert "no link: the user admin is disabled" in server.process.stdout.readline()
    actions = [entry["action"] for entry in server.http.get("/api/audit").json() if "ann" in entry["subject"]]
    assert actions == ["user.remove", "user.password", "user.enable", "user.disable", "user.role", "user.add"]


@pytest.mark.browser
def test_a_real_browser_signs_in_without_scripts(server: Server) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    server.start(CROSSFADE_REQUIRE_SIGN_IN="true")
    link = link_of(server, "users", "add", "ann", "--link")
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = program.new_page(java_script_enabled=False)
        page.goto(f"{server.url}/?range=7d")
        expect(page).to_have_title("Sign in – Crossfade")
        page.goto(link)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Live dashboard")).to_be_visible()
        page.get_by_role("link", name="ann").click()
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("The same again").fill(PASSWORD)
        page.get_by_role("button", name="Change the password").click()
        page.get_by_role("button", name="Sign out everywhere").click()
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_label("Password").press("Enter")
        expect(page.get_by_text("Signed in as ann (viewer)")).to_be_visible()
        page.goto(link)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("This link was used, or has expired")
        program.close()
