"""The demo's milestones as lines for a person."""

from hearthwatch.demo.milestones import Milestone
from hearthwatch.demo.stage import GATEWAY_ID, Stage

_FORMS = {
    "gateway_connected": "gateway {gateway} is on line",
    "reading_stored": "{patient}: first reading stored",
    "episode_raised": "{patient}: {rule} raised (episode {episode})",
    "notified": "{patient}: {rule} → tier {service_tier}, {person}",
    "asked": "{patient}: the household ({person}) is asked to measure",
    "escalated": "{patient}: {rule} not answered, step {step}",
    "acknowledged": "{patient}: {rule} acknowledged by {person} (tier {service_tier})",
    "decided": "{patient}: {rule} decided by {person}: {decision}",
    "referral": "{patient}: referral {event} by {person} → {stage}",
    "closed": "{patient}: {rule} closed",
    "killed": "SIGKILL to {process}",
    "restarted": "{process} is back",
    "summary": "sent by the devices {notified}, accepted {accepted}, stored {stored}, rejected {rejected},"
    " duplicates {duplicates}, lost {lost}",
}


def human_line(milestone: Milestone) -> str:
    """Write one milestone: simulated minutes and seconds, then what happened."""
    minutes, seconds = divmod(int(milestone.t_s), 60)
    return f"{minutes:3d}:{seconds:02d}  {_FORMS[milestone.name].format(**milestone.fields)}"


def introduction(stage: Stage) -> str:
    """Say where to look, as whom, and what will happen when."""
    return f"""
  hearthwatch is running; a minute of patients' time passes every {60 / stage.clock.speed:g} seconds.

  console   {stage.console}
            family doctor  li     hearth-li-demo     (tier 2: is paged first)
            county expert  wang   hearth-wang-demo   (tier 3: is paged when nobody answers)
            hospital desk  gao    hearth-gao-demo    (takes whom the county refers)
            grid worker    fang   hearth-fang-demo   (sees the tasks of her team's patients)
  wall      {stage.wall}
  intake    {stage.intake}  (readings over HTTP: docs/http-intake.md; gateway {GATEWAY_ID})
            TOKEN={stage.token}

  p3 falls below 88 % after a minute, p4 slowly below 93 %, p5 has had a high fever for three days,
  p6 takes the finger out; p1 and p2 are well and must stay silent. Ctrl-C stops everything.

  min:s
"""
