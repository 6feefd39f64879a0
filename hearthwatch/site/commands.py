"""`hearthwatch site`: found a site's authority, enrol its gateways, list them, take one back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.identity.bundle import bundle_text
from hearthwatch.site.acts import GATEWAY_DAYS, INGEST, Wish, ensure_servers, revoke
from hearthwatch.site.acts import enrol as sign
from hearthwatch.site.certificates import CertificateError
from hearthwatch.site.folder import FOLDER, PORT, READERS, Place, Site, SiteError, founded, known_place, opened
from hearthwatch.site.ledger import Entry

SOON_DAYS = 60
_RESTART = "Mosquitto takes it at its next start:  systemctl restart mosquitto"

app = typer.Typer(no_args_is_help=True, help="A site's certificates: its broker, its gateways, who may write what.")

SiteOption = Annotated[Path, typer.Option("--site", help="the site's folder")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="the site's folder; its authority's key stays in it")] = FOLDER,
    broker_host: Annotated[
        list[str] | None, typer.Option(help="name or address of the broker, as gateways reach it; repeat for more")
    ] = None,
    broker_port: Annotated[int | None, typer.Option(min=1, max=65535, help="TLS port of the broker")] = None,
) -> None:
    """Found a site, or renew its broker's certificate (for other names, or half of its life before it ends)."""
    now = datetime.now(UTC)
    with _errors():
        known = known_place(folder)
        place = Place(
            hosts=tuple(broker_host or (known.hosts if known else ())),
            port=broker_port or (known.port if known else PORT),
        )
        with founded(folder, place, now) as site:
            made = ensure_servers(site, now)
            _tell_founded(site, made)


@app.command()
def enrol(
    request: Annotated[Path, typer.Argument(help="the request (CSR) that the box made")],
    site: SiteOption = FOLDER,
    out: Annotated[Path | None, typer.Option(help="the bundle for the box; else beside the request")] = None,
    days: Annotated[int, typer.Option(min=1, help="how long the certificate lasts")] = GATEWAY_DAYS,
    again: Annotated[bool, typer.Option("--again", help="renew, or replace the box (revokes a former key)")] = False,
    fingerprint: Annotated[str, typer.Option(help="refuse any other key than the one of this fingerprint")] = "",
) -> None:
    """Sign a gateway's request and write the bundle to carry back to it."""
    with _errors(), opened(site) as present:
        wish = Wish(days=days, again=again, fingerprint=fingerprint)
        done = sign(present, request.read_bytes(), wish, datetime.now(UTC))
        bundle_file = out or request.with_name(f"{done.entry.gateway_id}.bundle.toml")
        bundle_file.write_text(bundle_text(done.bundle))
        typer.echo(f"gateway      {done.entry.gateway_id}")
        typer.echo(f"fingerprint  {done.entry.fingerprint}")
        typer.echo(f"site's key   {present.fingerprint}")
        typer.echo(f"certificate  {done.entry.serial}, until {done.entry.expires_at:%F}")
        typer.echo(f"bundle       {bundle_file}")
        for former in done.superseded:
            typer.echo(f"revoked      {former.serial}, of the former key {former.fingerprint}. {_RESTART}")
        typer.echo("")
        typer.echo("Compare the fingerprint with the one on the box. Is it another: hearthwatch site revoke "
                   f"{done.entry.serial}")  # fmt: skip
        typer.echo(f"Next, on the box:  hearthwatch gateway enrol --install {bundle_file.name}")


@app.command(name="list")
def list_(site: SiteOption = FOLDER, as_json: JsonOption = False) -> None:
    """List every certificate that was signed, and the site's own."""
    now = datetime.now(UTC)
    with _errors(), opened(site) as present:
        own = {"authority": "ca.pem", "broker": "broker/broker.pem"}
        ends = {name: present.certificate(file).not_valid_after_utc for name, file in own.items()}
        if as_json:
            document = {
                "certificates": [_plain(each, now) for each in present.ledger],
                "site": {name: at.isoformat() for name, at in ends.items()},
            }
            typer.echo(json.dumps(document))
            return
        for each in present.ledger:
            typer.echo(f"{each.gateway_id:24} {_state(each, now):34} {each.serial}")
        for name, at in ends.items():
            typer.echo(f"the site's {name:13} {_until(at, now)}")


@app.command(name="revoke")
def revoke_(
    wanted: Annotated[str, typer.Argument(metavar="GATEWAY_ID|SERIAL", help="whose, or which one")],
    site: SiteOption = FOLDER,
    why: Annotated[str, typer.Option(help="kept in the ledger: lost, stolen, replaced …")] = "revoked",
) -> None:
    """Take back certificates: the broker lets their owner in no more after its next start."""
    with _errors(), opened(site) as present:
        for each in revoke(present, wanted, why=why, now=datetime.now(UTC)):
            typer.echo(f"revoked      {each.serial} of {each.gateway_id}")
        typer.echo(f"list         {site / 'broker' / 'crl.pem'}. {_RESTART}")


def _tell_founded(site: Site, made: tuple[str, ...]) -> None:
    typer.echo(f"site         {site.folder}")
    typer.echo(f"site's key   {site.fingerprint}")
    typer.echo(f"broker       {', '.join(site.place.hosts)}; port {site.place.port}")
    typer.echo(f"made now     {', '.join(made) or 'nothing: all there and good for long'}")
    typer.echo(
        f"""
Keep a copy of {site.folder}/authority.key where thieves and fires do not come: with it one enrols gateways.
Next:
1. Mosquitto 2.0.21 or newer, with deploy/mosquitto/hearthwatch.conf in /etc/mosquitto/conf.d and
   deploy/mosquitto/hearthwatch.acl in /etc/mosquitto (owner mosquitto, mode 0600); it reads {site.folder}/broker.
2. Ingest, as {INGEST}:
     HEARTHWATCH_BROKER_HOST={site.place.hosts[0]} HEARTHWATCH_BROKER_PORT={site.place.port}
     HEARTHWATCH_INGEST_BROKER_CA_FILE={site.folder}/ingest/ca.pem
     HEARTHWATCH_INGEST_BROKER_CERTIFICATE_FILE={site.folder}/ingest/ingest.pem
     HEARTHWATCH_INGEST_BROKER_KEY_FILE={site.folder}/ingest/ingest.key
3. Each gateway: hearthwatch gateway enrol on the box, hearthwatch site enrol here, and back with the bundle."""
    )
    for name, user in READERS.items():
        owner = (site.folder / name).owner()
        if owner != user:
            typer.echo(f"   {site.folder / name} belongs to {owner}: chown -R {user} it, or whoever runs the {name}")


def _plain(entry: Entry, now: datetime) -> dict[str, str | bool | None]:
    return {
        "gateway_id": entry.gateway_id,
        "serial": entry.serial,
        "fingerprint": entry.fingerprint,
        "issued_at": entry.issued_at.isoformat(),
        "expires_at": entry.expires_at.isoformat(),
        "revoked_at": entry.revoked_at.isoformat() if entry.revoked_at else None,
        "why": entry.why,
        "is_valid": entry.is_valid(now),
    }


def _state(entry: Entry, now: datetime) -> str:
    if entry.revoked_at is not None:
        return f"revoked {entry.revoked_at:%F} ({entry.why})"
    return _until(entry.expires_at, now)


def _until(at: datetime, now: datetime) -> str:
    days = (at - now).days
    if at <= now:
        return f"ended {at:%F}"
    return f"until {at:%F}" + (f", {days} days left!" if days < SOON_DAYS else "")


@contextmanager
def _errors() -> Iterator[None]:
    """End with 2 and the error's own words."""
    try:
        yield
    except (SiteError, CertificateError) as exc:
        why = str(exc)
    except OSError as exc:
        why = f"{exc.filename}: {exc.strerror}"
    else:
        return
    typer.echo(f"hearthwatch site: {why}", err=True)
    raise typer.Exit(2)
