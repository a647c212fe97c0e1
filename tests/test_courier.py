"""Messages, sent for real: to a mail server and an HTTP hook on loopback, through apprise in its own process."""

import asyncio
import time

import psutil
import pytest

from crossfade import courier
from crossfade.core.notice import TEST, Message
from crossfade.courier import AT_ONCE, Courier, TargetError, check

from .scenario.receivers import Hook, MailServer

MESSAGE = Message("[critical] business: the source fails", "errors: 12 of 340 <b>failed</b> \\n & more\nAt noon.",
                  "failure")


def send(url: str, message: Message = MESSAGE, deadline_s: float = 20) -> str | None:
    return asyncio.run(Courier(deadline_s=deadline_s).send(url, message))


def test_a_mail_arrives() -> None:
    with MailServer() as server:
        assert send(server.url()) is None
        mail, = server.mails
    assert mail["subject"] == MESSAGE.title
    assert mail["to"] == "ops@crossfade.example"
    assert "12 of 340 <b>failed</b>" in mail.get_body(("plain",)).get_content()


def test_a_mail_with_the_password_arrives_and_with_a_wrong_one_does_not() -> None:
    with MailServer(password="hunter2") as server:
        assert send(server.url("ann:hunter2@")) is None
        assert send(server.url("ann:wrong@")) == "it refused the sign-in"
        assert len(server.mails) == 1


def test_a_hook_is_called() -> None:
    with Hook().serving() as hook:
        assert send(hook.url("secret-path")) is None
        assert hook.got == [{"version": "1.0", "title": MESSAGE.title, "message": MESSAGE.body, "attachments": [],
                             "type": "failure"}]
        assert hook.paths == ["/secret-path"]


def test_every_tone_is_one_that_channels_know() -> None:
    with Hook().serving() as hook:
        for tone in ("info", "warning", "failure", "success"):
            assert send(hook.url(), Message("t", "b", tone)) is None
        assert send(hook.url(), TEST) is None
        assert [message["type"] for message in hook.got] == ["info", "warning", "failure", "success", "info"]


@pytest.mark.parametrize(("status", "words"), [
    (500, "it answered with status 500"), (404, "it answered with status 404"), (401, "it refused the sign-in"),
])
def test_a_refusal_is_told_by_its_status(status: int, words: str) -> None:
    with Hook().serving() as hook:
        hook.status = status
        assert send(hook.url()) == words


def test_a_hook_that_sends_elsewhere_is_not_followed() -> None:
    """A POST that is sent elsewhere arrives as a GET, without the message: that is no delivery."""
    with Hook().serving() as elsewhere, Hook().serving() as hook:
        hook.status, hook.headers = 302, {"Location": elsewhere.url().replace("json", "http")}
        assert send(hook.url()) == "it answered with status 302"
        assert elsewhere.paths == []


def test_an_absent_target_is_told_so() -> None:
    hook = Hook()
    with hook.serving():
        pass
    assert send(hook.url()) == "the connection was refused"
    assert send("json://no-such-host.invalid/x") == "the name of its host is not known"
    with MailServer() as server:
        url = server.url()
    assert send(url) == "the connection was refused"


def test_a_message_that_speaks_of_errors_does_not_stand_for_its_delivery() -> None:
    with Hook().serving() as hook:
        hook.status = 503
        message = Message("Connection refused", "Socket Exception: timed out, error=401, (535, b'no')", "info")
        assert send(hook.url(), message) == "it answered with status 503"


def test_an_address_that_means_nothing_is_told_so_without_it() -> None:
    assert send("nonsense://hunter2") == "apprise cannot use its address"


def test_a_slow_target_is_given_up_at_the_deadline() -> None:
    with Hook().serving() as hook:
        hook.release.clear()
        began = time.monotonic()
        assert send(hook.url() + "?rto=60", deadline_s=1) == "no answer in time"
        assert time.monotonic() - began < 1 + courier.STARTING_S


def test_a_messenger_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "_COMMAND", ("sleep", "600"))
    monkeypatch.setattr(courier, "STARTING_S", 0.1)
    began = time.monotonic()
    assert send("json://127.0.0.1/", deadline_s=0.1) == "no answer in time"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("command", "words"), [
    (("no-such-program",), "no messenger could be started (No such file or directory)"),
    (("false",), "the messenger ended with status 1"),
    (("echo", "nonsense"), "the messenger ended with status 0"),
])
def test_a_messenger_that_fails_is_an_error_of_its_own(
        monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], words: str) -> None:
    monkeypatch.setattr(courier, "_COMMAND", command)
    assert send("json://127.0.0.1/") == words


def test_slow_targets_leave_room_for_others() -> None:
    async def run() -> None:
        sender = Courier(deadline_s=20)
        slow = [asyncio.create_task(sender.send(hook.url("slow") + "?rto=60", MESSAGE)) for _ in range(AT_ONCE - 1)]
        assert await asyncio.wait_for(sender.send(other.url(), MESSAGE), 15) is None
        assert not any(task.done() for task in slow)
        hook.release.set()
        assert await asyncio.gather(*slow) == [None] * len(slow)

    with Hook().serving() as hook, Hook().serving() as other:
        hook.release.clear()
        asyncio.run(run())


def test_who_stops_waiting_ends_the_messenger() -> None:
    async def run() -> None:
        task = asyncio.create_task(Courier(deadline_s=20).send(hook.url() + "?rto=60", MESSAGE))
        await asyncio.sleep(0.3)
        children = set(_children())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children
        assert not children & set(_children())

    with Hook().serving() as hook:
        hook.release.clear()
        asyncio.run(run())


def _children() -> list[int]:
    return [child.pid for child in psutil.Process().children()]


# Before the server starts

def test_good_targets_pass() -> None:
    check({})
    check({"hook": "json://127.0.0.1/x", "mail": "mailto://ann:hunter2@example.org",
           "chat": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general"})


@pytest.mark.parametrize("url", ["hunter2", "nonsense://hunter2", "slack://hunter2", "mailto://", "://", "\x00"])
def test_a_target_without_a_usable_address_is_named_and_its_address_is_not(url: str) -> None:
    with pytest.raises(TargetError) as found:
        check({"good": "json://127.0.0.1/x", "ops": url})
    assert "'ops'" in str(found.value)
    assert "hunter2" not in str(found.value)


def test_without_apprise_targets_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "_COMMAND", ("false",))
    with pytest.raises(TargetError, match=r"crossfade\[server\]"):
        check({"hook": "json://127.0.0.1/x"})
