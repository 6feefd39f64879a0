"""A box and its site: the key stays, the request is carried there, the bundle back; what does not fit is refused."""

import csv
import json
import os
import shutil
import stat
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from typer.testing import Result

from gateway.settings import load_settings
from gateway.uplink.tls import TlsFileError, certificate_expiry, client_context
from hearthwatch.site.ledger import LedgerError, parse_ledger
from tests.hearthwatch.site_rig import hearthwatch, hearthwatch_process

BROKER = "broker.county.example"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site as it was founded, and nothing since: to copy."""
    folder = tmp_path_factory.mktemp("founded") / "site"
    hearthwatch_process("site", "init", str(folder), "--broker-host", BROKER, "--broker-host", "192.0.2.7")
    return folder


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A box that has made its key and request as gw-1, and nothing since: to copy."""
    folder = tmp_path_factory.mktemp("asking") / "box"
    hearthwatch_process("gateway", "enrol", "--gateway-id", "gw-1", "--folder", str(folder))
    return folder


@pytest.fixture
def site(founded: Path, tmp_path: Path) -> Path:
    """A founded site."""
    return shutil.copytree(founded, tmp_path / "site")


@pytest.fixture
def box(asking: Path, tmp_path: Path) -> Path:
    """A box that has made its key and request as gw-1."""
    return shutil.copytree(asking, tmp_path / "box")


def sign(site: Path, request: Path, *options: str, code: int = 0) -> Result:
    return hearthwatch("site", "enrol", "--site", str(site), str(request), *options, code=code)


def install(box: Path, bundle: Path, *, code: int = 0) -> Result:
    return hearthwatch(
        "gateway", "enrol", "--install", str(bundle), "--folder", str(box), "--state", str(box / "state"), code=code
    )


def entries(site: Path) -> list[dict[str, str]]:
    with (site / "enrolled.csv").open() as file:
        return [each for each in csv.DictReader(file) if each["gateway_id"] != "service.ingest"]


def fingerprint_in(said: str) -> str:
    (line,) = (line for line in said.splitlines() if line.startswith("fingerprint"))
    return line.removeprefix("fingerprint").strip()


def request_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, *names: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def test_a_box_is_enrolled_with_files_alone(site: Path, box: Path) -> None:
    said_on_the_box = hearthwatch_process("gateway", "enrol", "--gateway-id", "gw-1", "--folder", str(box))
    said_at_the_site = hearthwatch_process("site", "enrol", "--site", str(site), str(box / "gw-1.csr"))
    assert fingerprint_in(said_on_the_box) == fingerprint_in(said_at_the_site)
    assert "PRIVATE" not in (box / "gw-1.bundle.toml").read_text() + (box / "gw-1.csr").read_text()
    where = ("--folder", str(box), "--state", str(box / "state"))
    said = hearthwatch_process("gateway", "enrol", "--install", str(box / "gw-1.bundle.toml"), *where)
    settings = load_settings(box / "gateway.toml")
    assert (settings.gateway_id, settings.broker_host, settings.broker_port) == ("gw-1", BROKER, 8883)
    assert settings.outbox_path == box / "state" / "outbox.sqlite"
    assert settings.broker_ca_file is not None
    client_context(settings.broker_ca_file, settings.broker_certificate_file, settings.broker_key_file)
    in_days = (certificate_expiry(box / "gateway.pem") - datetime.now(UTC)) / timedelta(days=1)
    assert 824 < in_days <= 825
    assert f"until {certificate_expiry(box / 'gateway.pem'):%F}" in said


def test_an_installed_box_writes_its_status_into_memory_and_not_to_its_card(site: Path, box: Path) -> None:
    sign(site, box / "gw-1.csr")
    install(box, box / "gw-1.bundle.toml")
    assert load_settings(box / "gateway.toml").status_file is None  # a folder of somebody's own choice
    (box / "gateway.toml").unlink()
    hearthwatch("gateway", "enrol", "--install", str(box / "gw-1.bundle.toml"), "--folder", str(box))
    settings = load_settings(box / "gateway.toml")
    assert settings.outbox_path.parent == Path("/var/lib/hearthwatch")
    assert settings.status_file == Path("/run/hearthwatch/status.json")


def test_keys_are_for_their_owner_alone(site: Path, box: Path) -> None:
    sign(site, box / "gw-1.csr")
    install(box, box / "gw-1.bundle.toml")
    for key in (box / "gateway.key", site / "authority.key", site / "broker/broker.key", site / "ingest/ingest.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600, key


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_gives_the_files_to_whom_the_folder_belongs(site: Path, tmp_path: Path) -> None:
    box = tmp_path / "owned"
    box.mkdir()
    os.chown(box, 65534, 65534)
    hearthwatch("gateway", "enrol", "--gateway-id", "gw-1", "--folder", str(box))
    sign(site, box / "gw-1.csr", "--out", str(tmp_path / "bundle.toml"))
    install(box, tmp_path / "bundle.toml")
    assert {path.stat().st_uid for path in box.iterdir()} == {65534}


def test_enrolling_and_installing_twice_changes_nothing(site: Path, box: Path) -> None:
    key = (box / "gateway.key").read_bytes()
    sign(site, box / "gw-1.csr")
    install(box, box / "gw-1.bundle.toml")
    before = {path.name: path.read_bytes() for path in box.iterdir() if path.suffix in (".pem", ".toml", ".key")}
    hearthwatch("gateway", "enrol", "--gateway-id", "gw-1", "--folder", str(box))
    install(box, box / "gw-1.bundle.toml")
    assert before == {name: (box / name).read_bytes() for name in before}
    assert before["gateway.key"] == key


def test_what_a_technician_wrote_into_the_settings_stays(site: Path, box: Path) -> None:
    (box / "gateway.toml").write_text('# the Wang family\nsite_zone = "Asia/Urumqi"\nbroker_port = 1883\n')
    sign(site, box / "gw-1.csr")
    install(box, box / "gw-1.bundle.toml")
    text = (box / "gateway.toml").read_text()
    assert text.startswith('# the Wang family\nsite_zone = "Asia/Urumqi"\nbroker_port = 8883\n')
    assert tomllib.loads(text)["gateway_id"] == "gw-1"


def test_settings_that_the_gateway_would_refuse_are_not_installed(site: Path, box: Path) -> None:
    (box / "gateway.toml").write_text("brokr_port = 1883\n")
    sign(site, box / "gw-1.csr")
    said = install(box, box / "gw-1.bundle.toml", code=2).stderr
    assert "brokr_port" in said
    assert (box / "gateway.toml").read_text() == "brokr_port = 1883\n"
    assert not (box / "gateway.pem").exists()


@pytest.mark.parametrize("gateway_id", ["Has Blank", "+", "service.ingest", "", "x" * 64])
def test_a_name_that_no_topic_takes_is_refused_on_the_box(gateway_id: str, tmp_path: Path) -> None:
    said = hearthwatch("gateway", "enrol", "--gateway-id", gateway_id, "--folder", str(tmp_path / "b"), code=2).stderr
    assert said.startswith("hearthwatch gateway enrol: ")
    assert not (tmp_path / "b").exists()


def test_only_a_lack_of_rights_sends_one_to_sudo(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = hearthwatch("gateway", "enrol", "--gateway-id", "gw-1", "--folder", str(tmp_path / "file" / "x"), code=2)
    assert said.stderr == f"hearthwatch gateway enrol: {tmp_path}/file/x: Not a directory\n"


def test_a_box_does_not_become_another_gateway_by_accident(site: Path, box: Path) -> None:
    sign(site, box / "gw-1.csr")
    install(box, box / "gw-1.bundle.toml")
    said = hearthwatch("gateway", "enrol", "--gateway-id", "gw-2", "--folder", str(box), code=2).stderr
    assert "this box is 'gw-1' already" in said


def test_another_boxes_bundle_is_refused(site: Path, box: Path, tmp_path: Path) -> None:
    hearthwatch("gateway", "enrol", "--gateway-id", "gw-2", "--folder", str(tmp_path / "other"))
    sign(site, tmp_path / "other" / "gw-2.csr")
    assert "another key" in install(box, tmp_path / "other" / "gw-2.bundle.toml", code=2).stderr


def test_a_bundle_of_a_forged_authority_is_refused(site: Path, box: Path, tmp_path: Path) -> None:
    sign(site, box / "gw-1.csr")
    hearthwatch("site", "init", str(tmp_path / "forged"), "--broker-host", "evil.example")
    text = (box / "gw-1.bundle.toml").read_text()
    forged = text.replace((site / "ca.pem").read_text().strip(), (tmp_path / "forged/ca.pem").read_text().strip())
    assert forged != text
    (tmp_path / "forged.toml").write_text(forged)
    assert "not signed by the bundle's authority" in install(box, tmp_path / "forged.toml", code=2).stderr


def test_a_bundle_for_a_box_without_a_key_says_what_to_do_first(site: Path, box: Path, tmp_path: Path) -> None:
    sign(site, box / "gw-1.csr")
    (tmp_path / "fresh").mkdir()
    said = install(tmp_path / "fresh", box / "gw-1.bundle.toml", code=2).stderr
    assert "hearthwatch gateway enrol --gateway-id gw-1" in said


def test_what_is_no_bundle_is_named(box: Path, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("hello")
    assert "is no enrolment bundle" in install(box, tmp_path / "x.toml", code=2).stderr
    assert "nowhere.toml: No such file" in install(box, tmp_path / "nowhere.toml", code=2).stderr


def test_a_second_enrolment_needs_to_be_asked_for(site: Path, box: Path) -> None:
    sign(site, box / "gw-1.csr")
    said = sign(site, box / "gw-1.csr", code=2).stderr
    assert "'gw-1' is enrolled until" in said
    assert "--again" in said
    sign(site, box / "gw-1.csr", "--again", "--days", "30")
    renewed = entries(site)
    assert [each["revoked_at"] for each in renewed] == ["", ""]  # the same key: both certificates are the same box
    install(box, box / "gw-1.bundle.toml")
    assert certificate_expiry(box / "gateway.pem") < datetime.now(UTC) + timedelta(days=31)


def test_a_copied_card_is_not_signed_for_a_second_gateway(site: Path, box: Path, tmp_path: Path) -> None:
    sign(site, box / "gw-1.csr")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "gateway.key").write_bytes((box / "gateway.key").read_bytes())
    hearthwatch("gateway", "enrol", "--gateway-id", "gw-2", "--folder", str(copy))
    assert "its key was signed for 'gw-1' before" in sign(site, copy / "gw-2.csr", code=2).stderr


def test_a_revoked_key_is_not_signed_again(site: Path, box: Path) -> None:
    sign(site, box / "gw-1.csr")
    hearthwatch("site", "revoke", "gw-1", "--site", str(site), "--why", "stolen")
    assert "its key was revoked" in sign(site, box / "gw-1.csr", code=2).stderr
    (entry,) = entries(site)
    assert entry["why"] == "stolen"
    crl = x509.load_pem_x509_crl((site / "broker" / "crl.pem").read_bytes())
    authority = x509.load_pem_x509_certificate((site / "ca.pem").read_bytes())
    assert [format(each.serial_number, "x") for each in crl] == [entry["serial"]]
    assert crl.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    assert crl.next_update_utc == authority.not_valid_after_utc  # a list that runs out lets nobody in


def test_only_the_expected_key_is_signed(site: Path, box: Path) -> None:
    own = fingerprint_in(hearthwatch("gateway", "enrol", "--gateway-id", "gw-1", "--folder", str(box)).stdout)
    assert "not the one expected" in sign(site, box / "gw-1.csr", "--fingerprint", "ab" * 32, code=2).stderr
    sign(site, box / "gw-1.csr", "--fingerprint", own.upper().replace(" ", ":"))


@pytest.mark.parametrize(
    ("request_pem", "said"),
    [
        (request_of(ec.generate_private_key(ec.SECP256R1()), "service.ingest"), "common name: gateway id"),
        (request_of(ec.generate_private_key(ec.SECP256R1()), "gw-1", "gw-2"), "2 common names"),
        (request_of(ec.generate_private_key(ec.SECP256R1())), "0 common names"),
        (request_of(ec.generate_private_key(ec.SECP521R1()), "gw-1"), "secp521r1"),
        (request_of(rsa.generate_private_key(65537, 2048), "gw-1"), "RSA"),
        (b"hello", "not a certificate signing request"),
    ],
    ids=["service", "two-names", "no-name", "p521", "rsa", "text"],
)
def test_a_request_that_may_not_be_granted_is_refused(
    site: Path, tmp_path: Path, request_pem: bytes, said: str
) -> None:
    (tmp_path / "x.csr").write_bytes(request_pem)
    assert said in sign(site, tmp_path / "x.csr", code=2).stderr
    assert entries(site) == []


def test_a_request_that_was_changed_on_the_way_is_refused(site: Path, box: Path, tmp_path: Path) -> None:
    request = x509.load_pem_x509_csr((box / "gw-1.csr").read_bytes())
    der = request.public_bytes(serialization.Encoding.DER).replace(b"gw-1", b"gw-9")
    pem = subprocess.run(
        ["openssl", "req", "-inform", "DER", "-outform", "PEM"], input=der, capture_output=True, check=False
    ).stdout
    if not pem:
        pytest.skip("openssl writes no request whose signature is wrong")
    (tmp_path / "x.csr").write_bytes(pem)
    assert "its signature is not of the key in it" in sign(site, tmp_path / "x.csr", code=2).stderr


def test_a_certificate_does_not_outlive_the_authority(site: Path, box: Path) -> None:
    assert "days are not between 1 and the end" in sign(site, box / "gw-1.csr", "--days", "9999", code=2).stderr


def test_a_site_is_founded_once_and_keeps_its_key(site: Path) -> None:
    key, broker = (site / "authority.key").read_bytes(), (site / "broker" / "broker.pem").read_bytes()
    assert "nothing: all there" in hearthwatch("site", "init", str(site)).stdout
    assert (site / "broker" / "broker.pem").read_bytes() == broker
    said = hearthwatch("site", "init", str(site), "--broker-host", "new.example", "--broker-port", "9000").stdout
    assert "made now     broker" in said
    assert (site / "authority.key").read_bytes() == key
    renewed = x509.load_pem_x509_certificate((site / "broker" / "broker.pem").read_bytes())
    names = renewed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["new.example"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["init", "{}"], "a new site needs --broker-host"),
        (["init", "{}", "--broker-host", "no host"], "'no host' is neither a host name nor an address"),
        (["list", "--site", "{}"], "is no site"),
        (["revoke", "gw-1", "--site", "{}"], "is no site"),
    ],
)
def test_what_a_site_can_not_do_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    assert said in hearthwatch("site", *(each.format(tmp_path / "none") for each in arguments), code=2).stderr


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("authority.key", b"no key", "authority.key: no private key in PEM; restore it from your backup"),
        ("authority.key", b"\xff\xfe", "authority.key: no private key in PEM; restore it from your backup"),
        ("ca.pem", b"no certificate", "ca.pem is no certificate in PEM; restore it from your backup"),
        ("enrolled.csv", b"\xff\xfe", "enrolled.csv: it is no text (UTF-8); restore it from your backup"),
        ("enrolled.csv", b"x,y\n", "enrolled.csv: line 1 is not: serial,gateway_id,"),
        ("enrolled.csv", b"HEADER1,2\n", "enrolled.csv: line 2 has 2 fields; 7 are wanted"),
        ("enrolled.csv", b"HEADERzz,a,b,c,d,e,f\n", "enrolled.csv: line 2: 'zz' is no serial number (hexadecimal)"),
        ("enrolled.csv", b"HEADER1,a,b,c,d,e,f\n", "enrolled.csv: line 2: 'c' is no instant (ISO 8601)"),
    ],
)
def test_a_broken_file_of_a_site_is_named_in_our_words(site: Path, file: str, content: bytes, said: str) -> None:
    header = (site / "enrolled.csv").read_bytes().splitlines(keepends=True)[0]
    (site / file).write_bytes(content.replace(b"HEADER", header))
    done = hearthwatch("site", "list", "--site", str(site), code=2)
    assert done.stderr.startswith(f"hearthwatch site: {site}/{said}")
    assert done.stderr.count("\n") == 1


def test_a_gateway_that_was_never_enrolled_is_not_revoked(site: Path) -> None:
    said = hearthwatch("site", "revoke", "gw-7", "--site", str(site), code=2).stderr
    assert "'gw-7' is neither a gateway nor a serial number here" in said


def test_the_list_says_who_may_speak_and_until_when(site: Path, box: Path) -> None:
    sign(site, box / "gw-1.csr", "--days", "30")
    assert "days left!" in hearthwatch("site", "list", "--site", str(site)).stdout
    document = json.loads(hearthwatch("site", "list", "--site", str(site), "--json").stdout)
    assert [(each["gateway_id"], each["is_valid"]) for each in document["certificates"]] == [
        ("service.ingest", True),
        ("gw-1", True),
    ]


@pytest.mark.parametrize("text", ["", "serial\n", "{good}zz,gw,f,x,y,,\n", "{good}1f,gw,f,2026-01-01,2026-01-02,,\n"])
def test_a_damaged_ledger_is_refused_with_its_line(text: str) -> None:
    good = "serial,gateway_id,fingerprint,issued_at,expires_at,revoked_at,why\n"
    with pytest.raises(LedgerError, match=r"line [12]:? "):
        parse_ledger(text.format(good=good))


def test_files_that_tls_can_not_use_are_named(site: Path, box: Path, tmp_path: Path) -> None:
    sign(site, box / "gw-1.csr")
    install(box, box / "gw-1.bundle.toml")
    ca, certificate, key = box / "site-ca.pem", box / "gateway.pem", box / "gateway.key"
    broken, missing = tmp_path / "broken.pem", tmp_path / "missing.pem"
    broken.write_text("?")
    for files, named in (
        ((missing, certificate, key), "broker_ca_file .*missing.pem: No such file"),
        ((broken, certificate, key), "broker_ca_file .*broken.pem: no certificate in it"),
        ((ca, missing, key), "broker_certificate_file .*missing.pem: No such file"),
        ((ca, certificate, missing), "broker_key_file .*missing.pem: No such file"),
        ((ca, certificate, None), "broker_key_file is not set"),
        ((ca, certificate, site / "authority.key"), "belongs to another key"),
    ):
        with pytest.raises(TlsFileError, match=named):
            client_context(*files)
    with pytest.raises(TlsFileError, match=r"missing\.pem: No such file"):
        certificate_expiry(missing)


def test_a_running_gateway_does_not_load_the_library_of_certificates() -> None:
    program = (
        "import sys, gateway.commands, gateway.app, gateway.uplink.tls, gateway.command.enrol\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] == 'cryptography'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_without_the_library_enrolment_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from hearthwatch.__main__ import main\n"
        f"main(['gateway', 'enrol', '--gateway-id', 'gw-1', '--folder', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'hearthwatch[gateway]'" in done.stderr
