"""Short messages through a real gateway on loopback: what is posted, what each answer means, what is never cut."""

import logging
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from alerting import sending
from alerting.delivery import deliver
from alerting.link import Linking, keys_of
from alerting.sending import hand_over
from alerting.short_message import short_text, units, units_max
from tests.alerting.sms_gateway import TOKEN, SmsGateway
from tests.alerting.streams import FALL_S
from tests.alerting.ward import Ward

TITLE = "【高 HIGH】P1 b1 血氧极低 / SpO2 critically low"
LINK = "http://console/a/" + "x" * 32
BODY = f"请家庭医生确认(自 03-01 20:00)\nfamily doctor, please acknowledge (since 03-01 20:00)\n{LINK}"


@pytest.fixture
def gateway() -> Iterator[SmsGateway]:
    made = SmsGateway()
    made.thread.start()
    yield made
    made.close()


def send(gateway: SmsGateway, *, key: str = "7:1.0:1:0", **address: str) -> sending.Taken:
    return hand_over(gateway.url(**address), title=TITLE, body=BODY, key=key)


def test_a_message_is_posted_as_the_contract_says(gateway: SmsGateway) -> None:
    taken = send(gateway)
    assert (taken.accepted, taken.outcome) == (True, "accepted by channel")
    path, headers, body = gateway.calls[0]
    assert path == "/v1/send"
    assert headers["Idempotency-Key"] == "7:1.0:1:0"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert body == {"to": "13800000001", "text": f"{TITLE}\n{BODY}", "key": "7:1.0:1:0"}


@pytest.mark.parametrize(
    ("status", "accepted", "for_good", "outcome"),
    [
        (200, True, False, "accepted by channel"),
        (299, True, False, "accepted by channel"),
        (409, True, False, "accepted by channel"),
        (302, False, True, "refused for good: 302"),
        (400, False, True, "refused for good: 400"),
        (401, False, True, "refused for good: 401"),
        (422, False, True, "refused for good: 422"),
        (499, False, True, "refused for good: 499"),
        (408, False, False, "refused: 408"),
        (429, False, False, "refused: 429"),
        (500, False, False, "refused: 500"),
        (503, False, False, "refused: 503"),
    ],
)
def test_what_each_answer_means(gateway: SmsGateway, status: int, accepted: bool, for_good: bool, outcome: str) -> None:
    gateway.trouble = [status]
    taken = send(gateway)
    assert (taken.accepted, taken.for_good, taken.outcome) == (accepted, for_good, outcome)
    assert len(gateway.calls) == 1  # nothing is followed elsewhere


@pytest.mark.parametrize("trouble", ["late", "dies", "trickles"])
def test_a_gateway_that_gives_no_answer_is_asked_again_and_sends_once(
    gateway: SmsGateway, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TIMEOUT_S", 0.7)
    monkeypatch.setattr(sending, "SERVICE_S", 2.0)
    gateway.trouble = [trouble]
    first = send(gateway)
    assert (first.accepted, first.for_good) == (False, False)
    assert TOKEN not in first.outcome
    gateway.go_on.set()
    assert send(gateway).accepted  # 409: it had this key
    assert list(gateway.sent) == ["7:1.0:1:0"]
    assert len(gateway.calls) == 2


def test_nobody_at_the_address_is_no_answer(gateway: SmsGateway) -> None:
    url = gateway.url()
    gateway.server.server_close()
    taken = hand_over(url, title=TITLE, body=BODY, key="k")
    assert (taken.accepted, taken.for_good, taken.outcome) == (False, False, "no answer: ConnectionError")


@pytest.mark.parametrize("number", ["", "abc", "123", "13800000001,13800000002", "1" * 21])
def test_an_address_without_a_number_is_not_understood(gateway: SmsGateway, number: str) -> None:
    taken = send(gateway, number=number)
    assert (taken.accepted, taken.outcome) == (False, "channel address not understood")
    assert gateway.calls == []


@pytest.mark.parametrize("written", ["%2B8613800000001", "+8613800000001", "%2B86 138-0000-0001"])
def test_a_number_with_its_country_is_kept(gateway: SmsGateway, written: str) -> None:
    assert send(gateway, number=written.replace(" ", "%20")).accepted
    assert gateway.calls[0][2]["to"] == "+8613800000001"


@pytest.fixture
def with_tls(gateway: SmsGateway, tmp_path: Path) -> SmsGateway:
    """The gateway behind a certificate for which nobody vouches."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sms gateway")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "gateway.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    gateway.server.socket = context.wrap_socket(gateway.server.socket, server_side=True)
    return gateway


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_over_tls_nothing_is_said_to_whom_nobody_vouches_for_unless_it_is_asked_for(with_tls: SmsGateway) -> None:
    url = with_tls.url().replace("sms://", "smss://")
    refused = hand_over(url, title=TITLE, body=BODY, key="k")
    assert (refused.accepted, refused.for_good, refused.outcome) == (False, False, "no answer: SSLError")
    assert with_tls.calls == []
    assert hand_over(f"{url}&verify=no", title=TITLE, body=BODY, key="k").accepted
    assert list(with_tls.sent) == ["k"]


def test_a_token_with_signs_in_it_arrives_whole(gateway: SmsGateway) -> None:
    assert not send(gateway, token="a%2Fb%3Ac%40d").accepted
    assert gateway.calls[0][1]["Authorization"] == "Bearer a/b:c@d"


def test_no_log_and_no_outcome_holds_the_token_or_the_number(
    gateway: SmsGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway.trouble = [401, 503, "dies"]
    taken = [send(gateway), send(gateway), send(gateway)]
    gateway.server.server_close()
    taken.append(send(gateway))
    taken.append(send(gateway, number=""))
    said = " ".join([caplog.text, *(each.outcome for each in taken)])
    assert TOKEN not in said
    assert "13800000001" not in said


@pytest.mark.parametrize("segments", range(1, 6))
def test_initials_rule_and_link_are_in_every_text(segments: int) -> None:
    text = short_text(TITLE, BODY, segments=segments)
    assert "P1 b1 血氧极低" in text
    assert text.endswith(LINK)
    assert units(text) <= units_max(segments) or text == f"【高 HIGH】P1 b1 血氧极低\n{LINK}"


def test_what_is_left_out_goes_in_order() -> None:
    texts = [short_text(TITLE, BODY, segments=segments) for segments in (3, 2, 1)]
    whole, zh, en = f"{TITLE}\n{BODY}", "请家庭医生确认(自 03-01 20:00)", "family doctor, please acknowledge"
    assert texts[0] == whole
    assert zh in texts[1]
    assert en not in texts[1]
    assert texts[2] == f"【高 HIGH】P1 b1 血氧极低\n{LINK}"


def test_a_sign_outside_the_basic_plane_counts_as_two_units() -> None:
    assert (units("氧"), units("𠮷"), units_max(1), units_max(2)) == (1, 2, 70, 134)


@pytest.fixture
def ward(database: str) -> Iterator[Ward]:
    with Ward(database) as made:
        yield made


def rung(ward: Ward, *channels: str) -> Ward:
    ward.connection.execute("UPDATE person SET channels = %s WHERE key = 'li'", (list(channels),))
    ward.connection.execute("UPDATE patient SET household_channels = '{}'")
    ward.spo2(1, [8400] * FALL_S)
    return ward


def delivered(ward: Ward) -> list[tuple[str, int]]:
    with ThreadPoolExecutor(2) as pool:
        deliver(
            ward.desk(), pool, speed=1, clock=lambda: ward.now, linking=Linking(keys=keys_of("a secret of the tests"))
        )
    rows: list[Any] = ward.connection.execute(
        "SELECT outcome, attempts FROM notice WHERE recipient_id = 1 ORDER BY key"
    ).fetchall()
    return [(row.outcome, row.attempts) for row in rows]


def test_what_a_gateway_refuses_for_good_goes_to_the_next_channel_and_is_not_tried_again(
    ward: Ward, gateway: SmsGateway
) -> None:
    gateway.trouble = [422]
    rung(ward, gateway.url(number="13800000001"), gateway.url(number="13800000002"))
    assert delivered(ward) == [("refused for good: 422", 1), ("accepted by channel", 1)]
    ward.now += timedelta(hours=1)
    assert delivered(ward) == [("refused for good: 422", 1), ("accepted by channel", 1)]
    assert [body["to"] for _, _, body in gateway.calls] == ["13800000001", "13800000002"]


def test_what_a_gateway_can_not_do_now_is_tried_again_under_the_same_key(ward: Ward, gateway: SmsGateway) -> None:
    gateway.trouble = [503, "dies"]
    rung(ward, gateway.url())
    assert delivered(ward) == [("refused: 503", 1)]
    ward.now += timedelta(seconds=60)
    assert delivered(ward)[0][0].startswith("no answer: ")
    ward.now += timedelta(seconds=60)
    assert delivered(ward) == [("accepted by channel", 3)]
    assert len({headers["Idempotency-Key"] for _, headers, _ in gateway.calls}) == 1
    assert len(gateway.sent) == 1


def test_an_alarm_by_short_message_fits_into_three_segments_with_its_link(ward: Ward, gateway: SmsGateway) -> None:
    rung(ward, gateway.url())
    delivered(ward)
    text = gateway.calls[0][2]["text"]
    assert "P1 b1" in text
    assert "http://console/a/" in text
    assert units(text) <= units_max(3)
