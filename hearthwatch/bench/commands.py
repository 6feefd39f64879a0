"""`hearthwatch bench`: measure on real parts, judge the figures, print JSON."""

import asyncio
import json
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hearthwatch.bench.goals import in_words

app = typer.Typer(
    no_args_is_help=True,
    help="Measure on real parts, judge the figures, print JSON. Each goal stands beside what was asked of it; the "
    "command ends with 1 when one is missed. What it does is told on stderr, the document goes to stdout. "
    "Machines differ and others may keep this one busy: the load average stands beside the figures.",
)

AsJson = Annotated[bool, typer.Option("--json", help="the document in one line")]


@app.callback()
def _room() -> None:
    """Keep `bench NAME` a group, however many benchmarks there are."""


@app.command()
def gateway(
    *,
    devices: Annotated[int, typer.Option(help="oximeters, five to an adapter", min=1, max=10)] = 8,
    seconds: Annotated[float, typer.Option(help="how long each speaks once a second", min=1)] = 60,
    rates: Annotated[
        str, typer.Option(help="then so many notifications a second in all, three readings each")
    ] = "100,400,1600,3200",
    backlog: Annotated[int, typer.Option(help="readings to drain at the end", min=1000)] = 500_000,
    as_json: AsJson = False,
) -> None:
    """The gateway as it runs in a home: processor, memory, time to the disk, card wear, saturation, a backlog's drain.

    The process under test is `hearthwatch gateway run` in an installation of the gateway's extra alone, on bleak's own
    BlueZ backend; the devices are simulated behind a stand-in for bluetoothd; broker, ingest and database are real.
    Takes about five minutes; `--seconds 10 --rates 400 --backlog 50000` takes one and a half.

    Goals: at most 3 % of a core and 60 MB with 8 devices at 1 Hz; no library of another extra; durable within 20 ms
    (p95); 1,000 readings a second and more with nothing lost between devices and database; a backlog drained at 5,000
    a second and more, live readings delayed by at most 1 s meanwhile.
    """
    from hearthwatch.bench.gateway import measure as bench

    plan = bench.Plan(devices=devices, seconds=seconds, rates=_rates(rates), backlog=backlog)
    conclude(lambda folder: asyncio.run(bench.measure(folder, plan, _say)), as_json=as_json)


@app.command()
def gateway_faults(
    *,
    only: Annotated[str, typer.Option(help="these alone, by name, with commas between")] = "",
    as_json: AsJson = False,
) -> None:
    """Troubles of radio, bluetoothd, broker, disk and clock: time to an action, a rung, data. About fifteen minutes.

    Bluetooth is a stand-in for bluetoothd. Ends with 1 where data did not flow again, a row is lost or doubled, the
    gateway died of it, or an answer took longer than a minute.
    """
    from hearthwatch.bench.gateway import faults as bench

    names = [name for name in only.split(",") if name]
    try:
        conclude(lambda folder: asyncio.run(bench.measure(folder, names, _say)), as_json=as_json)
    except KeyError as exc:
        typer.echo(exc.args[0], err=True)
        raise typer.Exit(2) from exc


@app.command()
def gateway_outbox(
    *,
    seconds: Annotated[float, typer.Option(help="how long at each rate", min=1)] = 30,
    rates: Annotated[str, typer.Option(help="readings a second")] = "1,8,10,100,1000",
    backlog: Annotated[int, typer.Option(help="readings to drain", min=1000)] = 500_000,
    as_json: AsJson = False,
) -> None:
    """Outbox and courier without a radio: time to the disk, card wear, saturation, backlog. About five minutes.

    The drain is measured twice: to a peer that only acknowledges, and to ingest with its database, which is judged.
    """
    from hearthwatch.bench.gateway import outbox as bench

    plan = bench.Plan(rates=_rates(rates), seconds=seconds, backlog=backlog)
    conclude(lambda folder: bench.measure(folder, plan, _say), as_json=as_json)


@app.command()
def gateway_kill(
    *,
    kills: Annotated[int, typer.Option(help="kills at each rate", min=1)] = 200,
    rates: Annotated[str, typer.Option(help="readings a second")] = "10,100,1000",
    seed: Annotated[int, typer.Option(help="the same seed, the same lives")] = 20_261_122,
    as_json: AsJson = False,
) -> None:
    """SIGKILL at random instants: what was accepted and is lost, what is doubled, what was open. About 20 minutes.

    Intake, outbox, courier, broker, ingest and database are real; only the radio is not there. Each victim lives 0.2 to
    5 s, short lives more often, and every tenth kill comes on top within the first 0.2 s, while the file is opened.

    Goals, at each rate: nothing lost, nothing doubled, the books agree, and no reading older than 50 ms that was
    offered and not yet accepted at the kill.
    """
    from hearthwatch.bench.gateway import kill as bench

    plan = bench.Plan(kills=kills, rates=_rates(rates), seed=seed)
    conclude(lambda folder: bench.measure(folder, plan, _say), as_json=as_json)


@app.command()
def ingest(
    *,
    packed: Annotated[int, typer.Option(help="readings, 160 to a packed message", min=160)] = 8_000_000,
    twin: Annotated[int, typer.Option(help="readings, 160 to a message of JSON columns", min=160)] = 2_000_000,
    single: Annotated[int, typer.Option(help="readings, one to a JSON message", min=1)] = 200_000,
    four: Annotated[int, typer.Option(help="readings, packed, four signals a sample", min=160)] = 4_000_000,
    as_json: AsJson = False,
) -> None:
    """Broker, ingest and database under a county's traffic in three forms: rate, processor time, age, disk.

    1,000 gateways with 8 devices each. Processor time is that of broker, ingest and every PostgreSQL process, with
    deduplication, newest words and intake log on. The age is measured at half the rate found: from sending a message to
    the word that it is stored. The disk is measured as it was written and with the index of each day packed as
    time-driven work packs closed days; the goal is judged on the latter. About three minutes.
    """
    from hearthwatch.bench.ingest import measure as bench

    plan = bench.Plan(packed=packed, json=twin, json_single=single, packed_four_signals=four)
    conclude(lambda folder: bench.measure(folder, plan, _say), as_json=as_json)


@app.command()
def ingest_chaos(
    *,
    rounds: Annotated[int, typer.Option(help="kills of ingest, broker or PostgreSQL", min=1)] = 50,
    seed: Annotated[int, typer.Option(help="the same seed, the same kills and the same traffic")] = 1,
    as_json: AsJson = False,
) -> None:
    """SIGKILL of ingest, broker and PostgreSQL at random instants, under traffic that repeats and disorders itself.

    A fifth of the messages is sent twice, and they change places within fifty. Afterwards each reading of the database
    is held against the one that was made, by device, instant and signal; nothing of ingest decodes it for that. The
    first three kills are one of each. About five minutes.
    """
    from hearthwatch.bench.ingest import chaos as bench

    plan = bench.Plan(rounds=rounds, seed=seed)
    conclude(lambda folder: bench.measure(folder, plan, _say), as_json=as_json)


@app.command()
def ingest_fuzz(
    *,
    malformed: Annotated[int, typer.Option(help="malformed messages", min=100)] = 100_000,
    seed: Annotated[int, typer.Option(help="the same seed, the same damage")] = 1,
    as_json: AsJson = False,
) -> None:
    """A flood of malformed messages beside good ones: each counted under its reason, memory flat. Three minutes."""
    from hearthwatch.bench.ingest import fuzz as bench

    plan = bench.Plan(malformed=malformed, seed=seed)
    conclude(lambda folder: bench.measure(folder, plan, _say), as_json=as_json)


@app.command()
def ingest_day(
    *,
    patients: Annotated[int, typer.Option(help="patients, eight to a gateway", min=8)] = 10_000,
    hours: Annotated[float, typer.Option(help="so much of a day", min=0.1)] = 24,
    as_json: AsJson = False,
) -> None:
    """A county's day at one sample of two signals every 5 s, at full speed; then its roll-ups, counted from raw again.

    The whole day is 346 million readings: it takes an hour and 40 GB.
    """
    from hearthwatch.bench.ingest import day as bench

    plan = bench.Plan(patients=patients, hours=hours)
    conclude(lambda folder: bench.measure(folder, plan, _say), as_json=as_json)


@app.command()
def latency(
    *,
    gateways: Annotated[int, typer.Option(help="homes at a time", min=1, max=13)] = 7,
    devices: Annotated[int, typer.Option(help="oximeters in each, five to an adapter", min=1, max=10)] = 8,
    rounds: Annotated[int, typer.Option(help="how often, with other people each time", min=1)] = 2,
    refer: Annotated[
        bool,
        typer.Option("--refer", help="one more round, of falls that no flush hastens: for information, 11 minutes"),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """How soon an alarm is there: from the notification that decides it to the episode another session can read.

    Oximeters on the simulated radio, each home with a gateway of its own on bleak's own BlueZ backend; broker, ingest,
    database and alerting are real, the clinical clock runs as fast as the machine's. Everybody is well for 80 s and
    more, falls once to 84 %, and stays there. Says how long each part took, by the parts' own stamps. Six minutes a
    round.

    Goals: at most 1,000 ms (p99) for a fall that the gateway sends at once; an episode for everybody who fell.
    """
    from hearthwatch.bench.latency import measure as bench

    plan = bench.Plan(gateways=gateways, devices=devices, rounds=rounds, refer=refer)
    conclude(lambda folder: asyncio.run(bench.measure(folder, plan, _say)), as_json=as_json)


@app.command()
def storm(
    *,
    patients: Annotated[int, typer.Option(help="patients who fall in one second", min=100, max=60_000)] = 10_000,
    calm: Annotated[int, typer.Option(help="others who fall one by one before", min=10)] = 200,
    as_json: AsJson = False,
) -> None:
    """Alarms of everybody at once: how soon all are durable, and the people on duty told. About four minutes.

    Readings go in by ingest's own transaction; judging, escalation and delivery are the product's process, the webhook
    that is told is real. Before, some fall one by one: from the alarm to its first notice at the channel.

    Goals: 10,000 alarms durable with their notices, and everybody on duty told of all of them, in 10 s; 250 ms (p99)
    from an alarm to its first notice when it is calm.
    """
    from hearthwatch.bench.storm import measure as bench

    plan = bench.Plan(patients=patients, calm=calm)
    conclude(lambda folder: bench.measure(folder, plan, _say), as_json=as_json)


@app.command()
def rollups(
    *,
    patients: Annotated[
        int, typer.Option(help="patients, each with a sample of four signals every 5 s", min=5)
    ] = 10_000,
    live_minutes: Annotated[int, typer.Option(help="minutes rolled up as they come", min=1)] = 5,
    away_minutes: Annotated[int, typer.Option(help="minutes rolled up at once afterwards", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """Roll-ups on a real database: what a county's minute costs, how fast a time away is caught up. About a minute."""
    from hearthwatch.bench.ingest import rollups as bench

    plan = bench.Plan(patients=patients, live_minutes=live_minutes, away_minutes=away_minutes)
    conclude(lambda folder: bench.measure(folder, plan, _say), as_json=as_json)


@app.command()
def recordings(
    *,
    folder: Annotated[Path, typer.Option("--recordings", help="the folder of public recordings", exists=True)],
    as_json: AsJson = False,
) -> None:
    """Real recordings through the rules: minutes below 93, what was raised, how soon. Seconds; needs no server.

    Goals: each induced hypoxia raises SPO2-CRIT once; of the intensive-care records the hypoxic ones raise, no other;
    hours of zeros raise a technical alarm and none of SpO2; temperatures that can not be one change nothing.
    """
    from hearthwatch.bench import recordings as bench

    def measure(_: Path) -> dict[str, Any]:
        document = bench.measure(folder, _say)
        if not as_json:
            for line in bench.in_table(document):
                _say(line)
        return document

    conclude(measure, as_json=as_json)


@app.command()
def cohort(
    *,
    patients: Annotated[int, typer.Option(help="patients", min=1)] = 1000,
    nights: Annotated[int, typer.Option(help="nights of each", min=1)] = 7,
    hours: Annotated[float, typer.Option(help="length of a night", min=1, max=24)] = 8,
    seed: Annotated[int | None, typer.Option(help="the same seed, the same nights; drawn where none is given")] = None,
    scenario: Annotated[
        Literal["default", "harder"],
        typer.Option(help="default: as hard as CLINICAL 3.4's nights; harder: longer artefacts, probes off that lie"),
    ] = "default",
    ungated: Annotated[bool, typer.Option(help="judge them also as if every value were good")] = True,
    profile: Annotated[Path | None, typer.Option(help="a clinical profile; without it, the one that ships")] = None,
    physiology: Annotated[
        list[str] | None, typer.Option(help="another number, as probe_off_flagged_share=0.6; may be given again")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A simulated cohort's nights, once a second, through the engine: falls found, how soon, false alarms by cause.

    The physiology knows nothing of the rules; its numbers are in the document and in docs/bench.md, and the document
    begins with how hard the nights are, by plain rules without the engine. A patient-day is one night. Two minutes
    with the extra `fast`; `--patients 100 --nights 1` takes seconds.

    Goals: no true fall missed (noise-free saturation below 93 for 600 s, at least half of it seen), at most 0.02 false
    high alarms a patient-day, and at most 0.10 high and medium ones together. False is what is of no true fall and not
    right by the rule's own limit and window either; the strict count, of no true fall alone, is told beside.
    """
    from hearthwatch.bench.cohort import measure as bench

    def measure(_: Path) -> dict[str, Any]:
        document = bench.measure(plan, _say)
        if not as_json:
            for line in bench.in_tables(document):
                _say(line)
        return document

    drawn = secrets.randbelow(2**32) if seed is None else seed
    _say(f"seed {drawn}")
    try:
        plan = bench.Plan(
            patients=patients,
            nights=nights,
            seed=drawn,
            hours=hours,
            scenario=scenario,
            ungated=ungated,
            profile=profile.read_text(encoding="utf-8") if profile else "",
            physiology=bench.physiology_of(physiology or []),
        )
        conclude(measure, as_json=as_json)
    except (bench.PlanError, bench.ProfileError, OSError) as exc:
        _say(f"cohort: {exc}")
        raise typer.Exit(2) from exc


@app.command()
def engine(
    *,
    gate_streams: Annotated[int, typer.Option(help="seeded streams compared with the oracle first", min=1)] = 200,
    gate_crashes: Annotated[int, typer.Option(help="crashes with replay of the log", min=0)] = 50,
    patients: Annotated[str, typer.Option(help="sizes")] = "1000,100000,1000000",
    batches: Annotated[str, typer.Option(help="readings a batch")] = "1000,10000,100000,1000000",
    seconds: Annotated[int, typer.Option(help="how long each patient is measured once a second", min=70)] = 120,
    peers: Annotated[bool, typer.Option(help="other ways to judge the same, for the ratios")] = True,
    quick: Annotated[bool, typer.Option(help="everything once, too small to mean anything")] = False,
    as_json: AsJson = False,
) -> None:
    """The alert engine alone, NumPy and Numba: readings a second of a core, time of a batch, memory; peers beside it.

    First each step is held against the oracle, stream by stream and across crashes; where one differs, nothing is
    measured. The whole proof is `--gate-streams 10000 --gate-crashes 1000`. Windows are full, and buckets of every
    length begin anew in what is measured. Numba is of the extra `fast`; the peers, but Node, are of the extra `peers`.
    """
    from hearthwatch.bench.engine import measure as bench

    plan = bench.Plan(
        gate_streams=gate_streams,
        gate_crashes=gate_crashes,
        patients=_numbers(patients),
        batches=_numbers(batches),
        seconds=seconds,
        peers=bench.CONTEST if peers else None,
    )
    conclude(lambda folder: bench.measure(folder, bench.QUICK if quick else plan, _say), as_json=as_json)


def conclude(measure: Callable[[Path], dict[str, Any]], *, as_json: bool) -> None:
    """Measure in a folder that goes with it; print the document, and end with 1 where it is not well."""
    with tempfile.TemporaryDirectory(prefix="hearthwatch-bench-") as folder:
        document = measure(Path(folder))
    typer.echo(json.dumps(document, indent=None if as_json else 1))
    for line in in_words(document):
        _say(line)
    if not document["well"]:
        raise typer.Exit(1)


def _rates(text: str) -> tuple[int, ...]:
    rates = _numbers(text)
    if not all(rate > 0 for rate in rates):
        raise typer.BadParameter(f"{text!r}: a rate is above 0")
    return rates


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(",") if number)
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r}: whole numbers with commas between, as 100,200") from exc


def _say(line: str) -> None:
    typer.echo(line, err=True)
