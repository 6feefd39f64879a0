"""What those are told whom a change of duty concerns, in Chinese and English: which duty, when, what of them (core)."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from alerting.words import DUTIES, Text
from alerting.zones import zone_of


class News(StrEnum):
    """What a change of duty is to somebody."""

    PUT_ON = "put_on"
    REPLACED = "replaced"
    ON_AGAIN = "on_again"
    NO_MORE = "no_more"
    STANDS_IN = "stands_in"
    STANDS_IN_NO_MORE = "stands_in_no_more"
    AWAY = "away"
    AWAY_NO_MORE = "away_no_more"
    WANTS_SUBSTITUTE = "wants_substitute"
    SWAP_ASKED = "swap_asked"
    SWAP_AGREED = "swap_agreed"
    SWAP_DECLINED = "swap_declined"
    SWAP_TAKEN_BACK = "swap_taken_back"


SAYS: Mapping[News, Text] = {
    News.PUT_ON: Text(zh="您被安排值班", en="you are put on duty"),
    News.REPLACED: Text(zh="由他人代您值班", en="somebody is on duty in your place"),
    News.ON_AGAIN: Text(zh="代班已撤销,仍由您值班", en="taken back: you are on duty again"),
    News.NO_MORE: Text(zh="值班安排已撤销,您不再值班", en="taken back: you are no longer on duty"),
    News.STANDS_IN: Text(zh="请您代理家庭医生", en="you stand in as family doctor"),
    News.STANDS_IN_NO_MORE: Text(zh="代理已撤销", en="taken back: you no longer stand in"),
    News.AWAY: Text(zh="已为您登记休假", en="you are entered as away"),
    News.AWAY_NO_MORE: Text(
        zh="您的休假已撤销,警报仍会发给您", en="your leave is taken back: alarms come to you again"
    ),
    News.WANTS_SUBSTITUTE: Text(
        zh="一名家庭医生休假,无人代理:请安排", en="a family doctor is away and nobody stands in: please arrange it"
    ),
    News.SWAP_ASKED: Text(zh="有人请求与您换班,请答复", en="somebody asks to swap with you: please answer"),
    News.SWAP_AGREED: Text(zh="换班已同意", en="your swap is agreed"),
    News.SWAP_DECLINED: Text(zh="换班未被同意", en="your swap is declined"),
    News.SWAP_TAKEN_BACK: Text(zh="换班已撤销", en="the swap is taken back"),
}
_OTHER_DUTIES = {
    "referral_desk": Text(zh="转诊接收", en="referral desk"),
    "transport": Text(zh="转运", en="transport"),
    "authority": Text(zh="卫生主管部门", en="health authority"),
}
_NO_DUTY = Text(zh="值班", en="duty")


def title(news: News, *, duty_role: str | None, place: Text) -> str:
    """Head a notice: low, where, which duty, what it is to the reader."""
    duty = (DUTIES | _OTHER_DUTIES).get(duty_role or "", _NO_DUTY)
    said = SAYS[news]
    return f"【低 LOW】{place.zh} {duty.zh} {said.zh} / {place.en} {duty.en}: {said.en}"


def body(news: News, *, since: datetime, until: datetime, time_zone: str, link: str) -> str:
    """Say from when to when, in the organisation's time, and where to look."""
    zone, said = zone_of(time_zone), SAYS[news]
    when = f"{since.astimezone(zone):%m-%d %H:%M} – {until.astimezone(zone):%m-%d %H:%M}"
    return f"{said.zh}({when})\n{said.en} ({when})\n{link}"
