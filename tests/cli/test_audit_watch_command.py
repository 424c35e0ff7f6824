"""``registry audit watch``: lines, JSON, exit codes, webhooks, and following until interrupted."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from standardwebhooks.webhooks import Webhook as Receiver

from support.commandline import ENTRY, LIMIT, call, environment
from support.listening import listening
from support.watching import rule

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
REF = "vision/mlp:1"


def zone(hour: int) -> str:
    """A zone in which it is this hour now."""
    ahead = (hour - datetime.now(UTC).hour + 11) % 24 - 11
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


@pytest.fixture
def watched(home: Path) -> Path:
    """A home that a watch has seen to its end."""
    assert call("--home", home, "audit", "watch", "--once").done().out == ""
    return home


def pull(home: Path) -> None:
    call("--home", home, "pull", REF, "-o", home.parent / "out", "--force", "--purpose", "audit").done()


def test_once_prints_a_line_for_each_report(watched: Path) -> None:
    pull(watched)
    done = call("--home", watched, "audit", "watch", "--once", "--zone", zone(23)).done()
    (line,) = done.out.splitlines()
    assert line.split()[2:4] == ["medium", "pull-at-night:"]
    assert "alice pulled vision/mlp:1 at night, after 23:00, from " in line
    assert line.endswith(" for audit (entry 3)")
    assert call("--home", watched, "audit", "watch", "--once", "--zone", zone(23)).done().out == ""


def test_once_json_is_one_document(watched: Path) -> None:
    pull(watched)
    done = call("--home", watched, "audit", "watch", "--once", "--zone", zone(23), "--json").done()
    document = done.document()
    assert set(document) == {"ok", "entries", "reports"}
    assert (document["ok"], document["entries"], len(document["reports"])) == (True, 1, 1)
    (report,) = document["reports"]
    assert (report["rule"], report["event"]["actor"], report["event"]["on"]) == (
        "pull-at-night",
        "alice",
        "vision/mlp",
    )


def test_a_failed_checkout_is_heard_of(watched: Path) -> None:
    blob = next(path for path in (watched / "blobs" / "objects").rglob("*") if path.is_file())
    blob.write_bytes(blob.read_bytes()[:-1] + b"\0")
    assert call("--home", watched, "verify", REF).code == 5
    done = call("--home", watched, "audit", "watch", "--once", "--json", "--zone", zone(12)).done()
    (report,) = done.document()["reports"]
    assert (report["rule"], report["event"]["outcome"]) == ("failed-verification", "failed")
    assert report["say"].startswith("a verification failed (bad-encryption, noticed by the checkout)")


def test_what_the_watch_cannot_trust_is_reported_and_exits_5(watched: Path) -> None:
    pull(watched)
    engine = sa.create_engine(f"sqlite:///{watched / 'registry.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE acts SET envelope = (SELECT envelope FROM acts WHERE seq = 2)"))
    engine.dispose()
    done = call("--home", watched, "audit", "watch", "--once")
    assert (done.code, done.out.count("failed-verification: ")) == (5, 1)
    assert "error [" in done.err
    again = call("--home", watched, "audit", "watch", "--once", "--json")
    assert (again.code, again.document()["ok"], again.document()["reports"]) == (5, False, [])


def test_reports_are_posted_signed(watched: Path) -> None:
    pull(watched)
    options, secret = ("audit", "watch", "--once", "--zone", zone(23)), {"REGISTRY_WEBHOOK_SECRET": SECRET}
    with listening(200) as listener:
        call("--home", watched, *options, "--webhook", listener.url, env=secret).done()
    ((headers, body),) = listener.got
    assert Receiver(SECRET).verify(body, headers)["data"]["rule"] == "pull-at-night"


def test_what_is_not_taken_exits_7_and_is_posted_the_next_time(watched: Path, tmp_path: Path) -> None:
    pull(watched)
    (tmp_path / "secret").write_text(SECRET)
    options = ("audit", "watch", "--once", "--zone", zone(23), "--secret-file", tmp_path / "secret")
    with listening(400, 200) as listener:
        failed = call("--home", watched, *options, "--webhook", listener.url)
        assert (failed.code, failed.out) == (7, "")
        assert "token" not in failed.err
        call("--home", watched, *options, "--webhook", listener.url).done()
    assert len({headers["webhook-id"] for headers, _ in listener.got}) == 1


WRONG = {
    "a webhook without a secret": ("--webhook", "https://alerts.example.com/"),
    "a secret without a webhook": ("--secret-file", "secret"),
    "a secret file that is not there": ("--webhook", "https://alerts.example.com/", "--secret-file", "none"),
    "a webhook in the clear": ("--webhook", "http://alerts.example.com/"),
    "a zone that is none": ("--zone", "Mars/Olympus"),
    "a zone outside the zones": ("--zone", "../../etc/passwd"),
    "rules that are not there": ("--rules", "none.cedar"),
    "a secret as an option": ("--secret", SECRET),
    "an entry that is not there": ("--from", "1000"),
    "no time between two looks": ("--interval", "0"),
}


@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG)
def test_what_makes_no_sense_is_said_before_anything_is_done(home: Path, options: tuple[str, ...]) -> None:
    done = call("--home", home, "audit", "watch", "--once", *options)
    assert done.code in (2, 3)
    assert done.out == ""
    assert SECRET not in done.err
    assert not (home / "watch.json").exists()


def test_the_rules_are_shown_and_can_be_given_back(watched: Path, tmp_path: Path) -> None:
    shown = call("audit", "watch", "--show-rules").done().out
    assert '@id("pull-at-night")' in shown
    (tmp_path / "mine.cedar").write_text(shown.replace("context.hour >= 22 ||", ""))
    pull(watched)
    options = ("--rules", tmp_path / "mine.cedar", "--zone", zone(23))
    assert call("--home", watched, "audit", "watch", "--once", *options).done().out == ""
    named = call("audit", "watch", "--show-rules", "--json").done().document()["rules"]
    assert {one["id"] for one in named} >= {"fork", "standstill", "failed-verification"}


def test_what_members_wrote_cannot_steer_the_terminal(watched: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.cedar"
    rules.write_text(rule(action="yank", say="{member}: {reason}"))
    call("--home", watched, "yank", REF, "--reason", "\x1b[31mred\r\n2031-01-01 fake line").done()
    done = call("--home", watched, "audit", "watch", "--once", "--rules", rules).done()
    (line,) = done.out.splitlines()
    assert "\x1b" not in line
    assert "\ufffd[31mred\ufffd\ufffd2031-01-01 fake line" in line


def test_it_follows_until_it_is_interrupted(watched: Path) -> None:
    options = ("audit", "watch", "--interval", "0.1", "--json", "--zone", zone(23))
    process = subprocess.Popen(
        [*ENTRY, "--home", str(watched), *options],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        pull(watched)
        assert process.stdout is not None
        report = json.loads(process.stdout.readline())
        assert report["rule"] == "pull-at-night"
        other = call("--home", watched, "audit", "watch", "--once")
        assert (other.code, "another watch" in other.err) == (6, True)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "", "")
