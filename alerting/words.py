"""What a notice says, in Chinese and English: minimal (initials, bed, rule, since when), never a name."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from alerting.profile import Consequence, Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One text in both languages."""

    zh: str
    en: str


RULES = {
    "SPO2-CRIT": Text(zh="血氧极低", en="SpO2 critically low"),
    "SPO2-REFER": Text(zh="血氧低于93%,应尽快转诊", en="SpO2 below 93 %: refer as soon as possible"),
    "FEVER-HIGH": Text(zh="高热", en="High fever"),
    "FEVER-PERSIST": Text(zh="持续高热超过三天", en="High fever for more than three days"),
    "TECH-NODATA": Text(zh="没有有效数据", en="No valid data"),
    "TECH-NODATA-LONG": Text(zh="长时间没有有效数据", en="No valid data for a long time"),
}
PRIORITIES = {
    Priority.HIGH: Text(zh="紧急", en="HIGH"),
    Priority.MEDIUM: Text(zh="重要", en="MEDIUM"),
    Priority.LOW: Text(zh="提示", en="LOW"),
}
STEPS = {
    0: Text(zh="请家庭医生确认", en="family doctor, please acknowledge"),
    1: Text(zh="家庭医生未确认,请值班人员处理", en="not acknowledged by the family doctor: township duty"),
    2: Text(zh="转县级专家组(三级)", en="to the county expert team (tier 3)"),
    3: Text(
        zh="无人确认!请立即电话联系该户,必要时拨打120",
        en="NOBODY HAS ANSWERED: phone the household now, call 120 if needed",
    ),
}
HOUSEHOLD = Text(
    zh="请马上查看{who},重新测量;若呼吸困难、意识不清,请立即拨打120。",
    en="Please look at {who} now and measure again; if breathing is hard or they are confused, call 120 at once.",
)
ACKNOWLEDGED = Text(zh="家庭医生已确认,请县级专家组决定", en="acknowledged at tier 2: the county team decides")


def title(consequence: Consequence, *, initials: str, bed: str) -> str:
    """Head a notice: priority, who (initials and bed), which rule."""
    level = PRIORITIES[consequence.priority]
    rule = RULES.get(consequence.rule, Text(zh=consequence.rule, en=consequence.rule))
    return f"【{level.zh} {level.en}】{initials} {bed} {rule.zh} / {rule.en}"


def body(*, step: int, since: datetime, time_zone: str, link: str, by_act: bool) -> str:
    """Write a notice to a person on duty: whose turn it is, since when, where to answer."""
    turn = ACKNOWLEDGED if by_act and step == 2 else STEPS[step]
    local = f"{since.astimezone(ZoneInfo(time_zone)):%m-%d %H:%M}"
    return f"{turn.zh}(自 {local})\n{turn.en} (since {local})\n{link}"


def household_body(*, initials: str, emergency: bool) -> str:
    """Write a notice to the household; with the emergency flag it prompts for 120, which a human calls."""
    if emergency:
        return f"{HOUSEHOLD.zh.format(who=initials)}\n{HOUSEHOLD.en.format(who=initials)}"
    return "请重新测量,家庭医生会联系您。\nPlease measure again; your family doctor will contact you."
