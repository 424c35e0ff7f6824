"""Reports by webhook: signed as Standard Webhooks says, taken by its library, sent until they are taken."""

from __future__ import annotations

import base64
import datetime
import json
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks.webhooks import Webhook as Receiver
from standardwebhooks.webhooks import WebhookVerificationError

from registry.audit.event import Event
from registry.audit.watch import webhook
from registry.audit.watch.reports import Report
from registry.audit.watch.webhook import Webhook
from registry.context import utc_now
from registry.errors import InvalidInput, Unavailable
from support.listening import listening

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
ODD = 'a "name"\u2028 with \x1b[31m, \u6a21\u578b and \\'
REPORT = Report(
    id="msg_" + "5a" * 16,
    rule="pull-at-night",
    severity="high",
    say=ODD,
    action="pull",
    time="2031-05-06T23:08:09.000000Z",
    registry="ab" * 32,
    event=Event(7, "", "bob", "", "pull", "vision/net", 1, "allowed", "", ODD, "run", "", ODD, "cd" * 32),
)


class Waits(list[float]):
    """How long was waited between attempts; nobody waits."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def sender(url: str, waits: Waits | None = None) -> Webhook:
    return Webhook(url, webhook.read_secret(SECRET), utc_now, Waits() if waits is None else waits)


def test_a_receiver_of_another_make_takes_what_is_sent() -> None:
    with listening() as listener:
        sender(listener.url)(REPORT)
    ((headers, body),) = listener.got
    read = Receiver(SECRET).verify(body, headers)
    assert read == {"type": "audit.rule.matched", "timestamp": REPORT.time, "data": REPORT.to_dict()}
    assert headers["webhook-id"] == REPORT.id == read["data"]["id"]
    assert headers["Content-Type" if "Content-Type" in headers else "content-type"] == "application/json"
    assert body.isascii()
    assert read["data"]["event"]["host"] == ODD


@pytest.mark.parametrize("what", ["body", "id", "timestamp", "secret"])
def test_a_receiver_of_another_make_refuses_what_was_changed(what: str) -> None:
    with listening() as listener:
        sender(listener.url)(REPORT)
    ((headers, body),) = listener.got
    secret = SECRET
    if what == "body":
        body = body.replace(b"bob", b"eve")
    elif what == "id":
        headers["webhook-id"] += "0"
    elif what == "timestamp":
        headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) + 1)
    else:
        secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    with pytest.raises(WebhookVerificationError):
        Receiver(secret).verify(body, headers)


def test_the_signature_is_that_of_the_specifications_libraries() -> None:
    """The vector that the Standard Webhooks libraries are tested with."""
    key = webhook.read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = webhook.sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_it_is_sent_again_until_it_is_taken_each_time_signed_anew() -> None:
    class Clock:
        seconds = 0

        def __call__(self) -> datetime.datetime:
            self.seconds += 1
            return utc_now().replace(microsecond=0) + datetime.timedelta(seconds=self.seconds)

    with listening(500, 429, 503, 200) as listener:
        Webhook(listener.url, webhook.read_secret(SECRET), Clock(), Waits())(REPORT)
    ids = {headers["webhook-id"] for headers, _ in listener.got}
    times = [headers["webhook-timestamp"] for headers, _ in listener.got]
    assert (len(listener.got), len(ids), len(set(times))) == (4, 1, 4)
    for headers, body in listener.got:
        Receiver(SECRET).verify(body, headers)


def test_after_five_attempts_the_report_is_left_for_later() -> None:
    waits = Waits()
    with listening(500) as listener, pytest.raises(Unavailable, match="answered 500") as caught:
        sender(listener.url, waits)(REPORT)
    assert len(listener.got) == 5
    assert len(waits) == 4
    assert waits == sorted(waits)
    assert "token" not in f"{caught.value} {caught.value.hint}"
    assert SECRET not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(("asked", "waited"), [("7", 7), ("86400", 60)])
def test_it_waits_as_long_as_the_receiver_asks_within_reason(asked: str, waited: int) -> None:
    waits = Waits()
    with listening(503, 200, headers={"Retry-After": asked}) as listener:
        sender(listener.url, waits)(REPORT)
    assert waits == [waited]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 410])
def test_what_another_attempt_would_not_change_is_not_tried_again(status: int) -> None:
    headers = {"Location": "http://localhost:1/elsewhere"} if status < 400 else {}
    with listening(status, headers=headers) as listener:
        with pytest.raises(Unavailable, match=f"answered {status}"):
            sender(listener.url)(REPORT)
        assert len(listener.got) == 1


def test_where_nobody_listens_it_says_so() -> None:
    with listening() as listener:
        url = listener.url
    waits = Waits()
    with pytest.raises(Unavailable, match="did not take"):
        sender(url, waits)(REPORT)
    assert len(waits) == 4


# --- TLS ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody vouches for, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = utc_now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    return path


def _tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_over_tls_it_goes_to_whom_the_system_trusts(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with listening(tls=_tls(certificate)) as listener:
        sender(listener.url)(REPORT)
    assert listener.paths == ["/hook/token"]


def test_over_tls_it_goes_to_nobody_else(certificate: Path) -> None:
    waits = Waits()
    with listening(tls=_tls(certificate)) as listener:
        with pytest.raises(Unavailable, match="certificate"):
            sender(listener.url, waits)(REPORT)
        assert (listener.got, waits) == ([], [])


# --- what is given --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://alerts.example.com/hook",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
        "http://10.0.0.1/",
        "https://user:password@alerts.example.com/",
        "ftp://localhost/",
        "file:///etc/passwd",
        "alerts.example.com",
        "https://",
        "https://[::1",
        "",
    ],
)
def test_only_https_or_this_machine_is_posted_to(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        sender(url)
    assert "password@" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://alerts.example.com/hook", "http://127.0.0.1:80/", "http://[::1]:9/x"]
)
def test_https_and_this_machine_are_taken(url: str) -> None:
    sender(url)


@pytest.mark.parametrize("size", [0, 23, 65])
def test_a_secret_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(InvalidInput, match="24 to 64") as caught:
        webhook.read_secret("whsec_" + base64.b64encode(b"s" * size).decode())
    assert "c3Nz" not in str(caught.value)


def test_a_secret_is_read_with_and_without_its_prefix_and_from_a_file(tmp_path: Path) -> None:
    bare = SECRET.removeprefix("whsec_")
    (tmp_path / "secret").write_text(SECRET + "\n")
    keys = {webhook.read_secret(SECRET), webhook.read_secret(bare), webhook.secret_file(tmp_path / "secret")}
    assert keys == {bytes(range(32))}
    with pytest.raises(InvalidInput, match="base64"):
        webhook.read_secret("whsec_not base64 at all, by no means")


def test_a_report_in_json_is_short_whatever_was_said() -> None:
    long = Event(7, "", "bob", "", "yank", "vision/net", 1, "allowed", "", "x" * 9000, "", "", "", "")
    report = Report(**{**REPORT.__dict__, "event": long})
    assert len(webhook.message(report)) < 20_000
    assert len(json.loads(webhook.message(report))["data"]["event"]["detail"]) == 500
