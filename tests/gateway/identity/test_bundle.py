"""The bundle that a box takes from its site: it comes back as it went, and what is wrong in it is named."""

from dataclasses import replace

import pytest

from gateway.identity.bundle import Bundle, BundleError, bundle_text, fingerprint, parse_bundle

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
BUNDLE = Bundle(gateway_id="gw-1", broker_host="broker.example", broker_port=8883, certificate=PEM, authority=PEM + PEM)


def test_it_comes_back_as_it_went() -> None:
    assert parse_bundle(bundle_text(BUNDLE)) == BUNDLE


@pytest.mark.parametrize(
    ("here", "there", "said"),
    [
        ("hearthwatch_bundle = 1", "hearthwatch_bundle = 2", "hearthwatch_bundle is 2"),
        ("hearthwatch_bundle = 1\n", "", "hearthwatch_bundle is missing"),
        ("broker_port = 8883", "broker_port = 0", "broker_port is 0"),
        ("broker_port = 8883", "broker_port = true", "broker_port is True"),
        ('gateway_id = "gw-1"', 'gateway_id = "GW 1"', "gateway id 'GW 1'"),
        ('gateway_id = "gw-1"', 'gateway_id = "+"', "wildcard"),
        ('broker_host = "broker.example"', 'broker_host = ""', "broker_host is ''"),
        ("authority = '''", "authority = '", "not TOML"),
    ],
)
def test_what_is_wrong_is_named(here: str, there: str, said: str) -> None:
    text = bundle_text(BUNDLE)
    assert here in text
    with pytest.raises(BundleError, match=said):
        parse_bundle(text.replace(here, there))


def test_a_missing_certificate_is_named() -> None:
    with pytest.raises(BundleError, match="certificate"):
        parse_bundle(bundle_text(replace(BUNDLE, certificate="")).replace("'''\n\n'''", "''"))


def test_a_fingerprint_is_the_keys_and_can_be_read_aloud() -> None:
    assert fingerprint(b"abc") == (  # SHA-256 of "abc", FIPS 180-2 appendix B.1
        "ba78 16bf 8f01 cfea 4141 40de 5dae 2223 b003 61a3 9617 7a9c b410 ff61 f200 15ad"
    )
