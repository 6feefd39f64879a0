"""What a notice says, in Chinese and English: minimal (initials, bed, rule, since when), never a name.

An alarm that is no patient's names its gateway, device or centre where a patient's names initials and bed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerting.addressing import Kind
from alerting.profile.profile import Consequence, Priority
from alerting.profile.technical import Family
from alerting.zones import zone_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One text in both languages."""

    zh: str
    en: str


RULES = {
    "SPO2-CRIT": Text(zh="血氧极低", en="SpO2 critically low"),
    "SPO2-REFER": Text(zh="血氧低,应尽快转诊", en="SpO2 low: refer as soon as possible"),
    "SPO2-AMBER": Text(zh="血氧偏低,请家庭医生关注", en="SpO2 somewhat low: family doctor"),
    "SPO2-DROP": Text(zh="血氧较个人基线明显下降", en="SpO2 well below the personal baseline"),
    "SPO2-EXERT": Text(zh="活动后血氧低", en="SpO2 low after activity"),
    "SPO2-OVER": Text(zh="吸氧下血氧过高", en="SpO2 too high on oxygen"),
    "HR-HIGH": Text(zh="脉搏过快", en="Pulse very fast"),
    "HR-FAST": Text(zh="脉搏偏快", en="Pulse fast"),
    "HR-LOW": Text(zh="脉搏过慢", en="Pulse very slow"),
    "RR-SEVERE": Text(zh="呼吸急促", en="Breathing very fast"),
    "QUESTIONABLE-LOW": Text(
        zh="血氧低但信号不可靠,请查看患者和指夹", en="SpO2 low, signal doubtful: check patient and probe"
    ),
    "WELLNESS-LOW": Text(zh="手环血氧低,请用指夹复测", en="Wearable shows low SpO2: measure with a finger clip"),
    "FEVER-48H": Text(zh="持续高热超过两天", en="High fever for more than two days"),
    "FEVER-HYPER": Text(zh="超高热", en="Very high fever"),
    "FEVER-INFANT": Text(zh="婴儿发热", en="Fever in an infant"),
    "HYPOTHERM": Text(zh="体温过低,请复测", en="Body temperature low: measure again"),
    "HYPOTHERM-CONFIRMED": Text(zh="体温过低,复测证实", en="Body temperature low, confirmed"),
    "BP-CRISIS-SYS": Text(zh="收缩压危急升高", en="Systolic pressure critically high"),
    "BP-CRISIS-DIA": Text(zh="舒张压危急升高", en="Diastolic pressure critically high"),
    "GLU-HIGH": Text(zh="血糖过高", en="Blood glucose very high"),
    "GLU-LOW": Text(zh="血糖过低", en="Blood glucose low"),
    "NEWS2-HIGH": Text(zh="NEWS2评分7分及以上,需紧急评估", en="NEWS2 of 7 or more: emergency assessment"),
    "NEWS2-MEDIUM": Text(zh="NEWS2评分升高,需尽快评估", en="NEWS2 raised: urgent review"),
    "FEVER-HIGH": Text(zh="高热", en="High fever"),
    "FEVER-PERSIST": Text(zh="持续高热超过三天", en="High fever for more than three days"),
    "SYMPTOM": Text(zh="出现危险症状", en="Warning signs reported"),
    "TECH-NODATA": Text(zh="没有有效数据", en="No valid data"),
    "TECH-NODATA-LONG": Text(zh="长时间没有有效数据", en="No valid data for a long time"),
    "TECH-SPOT-OVERDUE": Text(zh="应测未测", en="A measurement is overdue"),
    "TECH-SPOT-OVERDUE-LONG": Text(zh="长时间应测未测", en="A measurement is long overdue"),
    "TECH-BATTERY": Text(zh="设备电量低", en="Device battery low"),
    "TECH-BATTERY-CRITICAL": Text(zh="设备电量即将耗尽", en="Device battery nearly empty"),
    "TECH-GATEWAY": Text(zh="网关失联", en="Gateway silent"),
    "TECH-ADAPTER": Text(zh="网关蓝牙故障", en="Gateway's Bluetooth in trouble"),
    "TECH-CLOCK": Text(zh="时钟不准", en="Clock not believed"),
    "TECH-BACKLOG": Text(zh="网关数据积压", en="Readings wait in the gateway"),
    "TECH-INGEST": Text(zh="数据接收服务停止,全部患者无人监测", en="Ingest is silent: nobody is watched"),
    "TECH-BROKER": Text(zh="消息代理中断,全部患者无人监测", en="The broker is silent: nobody is watched"),
    "TECH-UNKNOWN-DEVICE": Text(zh="有读数不属于任何患者", en="Readings that belong to no patient"),
    "TECH-UNJUDGED": Text(
        zh="该患者的数据无法判读,目前无人监测",
        en="This patient's readings can not be judged: nobody is watched by them",
    ),
    "TECH-ROSTER": Text(zh="值班表有空缺", en="Nobody on the roster"),
    "TECH-STORM": Text(zh="同一原因的多个技术告警", en="Many technical alarms, one cause"),
    "TECH-STORM-MEDIUM": Text(zh="同一原因的多个技术告警", en="Many technical alarms, one cause"),
    "TECH-UNBOUND-LOW": Text(zh="未绑定设备测得血氧极低", en="SpO2 critically low on a device bound to nobody"),
}
EMERGENCY = Text(zh="紧急", en="EMERGENCY")
PRIORITIES = {
    Priority.HIGH: Text(zh="高", en="HIGH"),
    Priority.MEDIUM: Text(zh="中", en="MEDIUM"),
    Priority.LOW: Text(zh="低", en="LOW"),
}
STEPS = {
    0: Text(zh="请家庭医生确认", en="family doctor, please acknowledge"),
    1: Text(zh="家庭医生未及时确认或处置,请值班人员处理", en="not acknowledged or decided on in time: township duty"),
    2: Text(zh="转县级专家组(三级)", en="to the county expert team (tier 3)"),
    3: Text(
        zh="无人确认或处置!请立即电话联系该户,必要时拨打120",
        en="NOBODY HAS ANSWERED OR DECIDED: phone the household now, call 120 if needed",
    ),
}
SITE_STEPS = {
    0: Text(zh="请确认并派人处理", en="please acknowledge and have it seen to"),
    1: Text(zh="仍无人确认,请值班人员处理", en="still not acknowledged: township duty"),
    2: Text(zh="仍无人确认,请立即处理", en="still not acknowledged: see to it now"),
    3: Text(
        zh="无人确认!相关患者可能无人监测,请立即处理", en="NOBODY HAS ANSWERED: patients may be unwatched, act now"
    ),
}
SOMEBODY_STEPS = {
    0: Text(zh="请立即找到佩戴者并查看", en="find who wears it and look at them now"),
    1: Text(zh="仍无人确认,请值班人员立即找到佩戴者", en="not acknowledged: township duty, find who wears it"),
    2: Text(zh="仍无人确认,请县级专家组处理", en="not acknowledged: to the county expert team"),
    3: Text(zh="无人确认!请立即到现场,必要时拨打120", en="NOBODY HAS ANSWERED: go there now, call 120 if needed"),
}
UNWATCHED_STEPS = {
    0: Text(
        zh="请家庭医生联系患者;运维请查看系统日志", en="family doctor, contact the patient; operations, read the log"
    ),
    1: Text(zh="仍无人确认,请值班人员联系患者", en="not acknowledged: township duty, contact the patient"),
    2: Text(zh="仍无人确认,请县级专家组处理", en="not acknowledged: to the county expert team"),
    3: Text(zh="无人确认!请立即电话联系该户", en="NOBODY HAS ANSWERED: phone the household now"),
}
ROSTER_STEPS = {
    0: Text(zh="请安排人员值班(见值班页)", en="please put somebody on duty (the page Duty)"),
    1: Text(zh="仍无人确认,请值班人员联系排班人", en="not acknowledged: township duty, reach who keeps the roster"),
    2: Text(zh="仍无人确认,请立即安排人员值班", en="still not acknowledged: put somebody on duty now"),
    3: Text(
        zh="无人确认!告警可能无人接收,请立即安排人员值班", en="NOBODY HAS ANSWERED: alarms may reach nobody, act now"
    ),
}
DUTIES = {
    "township_duty": Text(zh="乡镇值班", en="township duty"),
    "county_expert": Text(zh="县级专家组", en="county experts"),
    "operations": Text(zh="运维", en="operations"),
}
"""Duties that unanswered alarms are carried to (care/duty.py ESCALATED_TO)."""

STORMS = {
    "gateway": Text(zh="网关失联", en="gateways silent"),
    "adapter": Text(zh="网关蓝牙故障", en="gateways with Bluetooth in trouble"),
    "clock": Text(zh="网关时钟不准", en="gateways whose clock is not believed"),
    "backlog": Text(zh="网关数据积压", en="gateways in which readings wait"),
    "spot_overdue": Text(zh="患者应测未测", en="patients whose measurement is overdue"),
    "no_data": Text(zh="同型号设备没有数据", en="devices of one model without data"),
}
"""Faults of which many have one cause, by their family (alerting/technical/storms.py)."""

_BESIDE = DUTIES | STORMS
_STEPS = {
    Kind.ROSTER: ROSTER_STEPS,
    Kind.UNWATCHED: UNWATCHED_STEPS,
    Kind.PERSON: STEPS,
    Kind.DEVICE: STEPS,
    Kind.SITE: SITE_STEPS,
    Kind.SOMEBODY: SOMEBODY_STEPS,
}
HOUSEHOLD = Text(
    zh="请马上查看{who},重新测量;若呼吸困难、意识不清,请立即拨打120。",
    en="Please look at {who} now and measure again; if breathing is hard or they are confused, call 120 at once.",
)
ASKED = {
    "repeat": Text(zh="请在{by}前为{who}再测一次{signal}。", en="Please measure the {signal} of {who} again, by {by}."),
    "repeat_later": Text(
        zh="请在{not_before}至{by}之间为{who}再测一次{signal}。",
        en="Please measure the {signal} of {who} again between {not_before} and {by}.",
    ),
    "unstable": Text(
        zh="{who}的读数不稳:请让手指在指夹中静止一分钟再测。",
        en="The readings of {who} did not come to rest: please keep the finger still in the clip for a minute.",
    ),
    "worn_fever": Text(
        zh="{who}的穿戴设备显示发热:请用体温计测一次。",
        en="What {who} wears shows a fever: please measure with a thermometer.",
    ),
    "fever_signs": Text(
        zh="{who}发热已有数日:请现在测血氧、呼吸次数和脉搏。",
        en="{who} has had a fever for days: please measure SpO2, breaths and pulse now.",
    ),
    "data_gap": Text(
        zh="{who}发热期间缺少体温:请现在测一次。",
        en="Temperatures of {who} are missing during a fever: please measure now.",
    ),
}
"""What a household is asked, by reason (alerting/judging/asking.py)."""

ASKING = Text(zh="请测量", en="Please measure")
MEASURE_AGAIN = Text(
    zh="请为{who}重新测量,家庭医生会联系您。",
    en="Please measure {who} again; your family doctor will contact you.",
)
CHECK_DEVICE = Text(
    zh="没有收到{who}的有效数据,请检查指夹或设备是否戴好、是否有电。",
    en="No valid data of {who}: please check that the device is worn well and charged.",
)
MEASURE_NOW = Text(
    zh="{who}该测量了:请用指夹或体温计测量一次。",
    en="A measurement of {who} is overdue: please measure once now.",
)
CHARGE_DEVICE = Text(
    zh="{who}的设备电量低,请充电或更换电池。",
    en="The device of {who} is low on battery: please charge it or change the battery.",
)
LOOK_YOURSELF = Text(
    zh="{who}的数据暂时无法自动判读:请自行留意;若呼吸困难、意识不清,请立即拨打120。",
    en="What {who} measures can not be judged by the centre now: please watch for yourselves;"
    " if breathing is hard or they are confused, call 120 at once.",
)
_TECHNICAL = {
    Family.UNJUDGED.value: LOOK_YOURSELF,
    Family.SPOT_OVERDUE.value: MEASURE_NOW,
    Family.BATTERY.value: CHARGE_DEVICE,
}
DECIDED = {
    "stay_home": Text(
        zh="县级专家组决定居家观察,请继续随访", en="the county team decides: observe at home, please follow up"
    ),
    "refer": Text(zh="县级专家组决定转诊,请协助", en="the county team decides: refer, please assist"),
    "step_down": Text(
        zh="县级专家组决定转回二级服务,请继续随访", en="the county team hands back to tier 2: please follow up"
    ),
    "go_on": Text(zh="转诊继续,请协助", en="the referral goes on: please assist"),
    "referral_stuck": Text(
        zh="转诊受阻,无人跟进!请立即打开转诊页处理", en="THE REFERRAL IS STUCK and nobody follows it up: see to it now"
    ),
    "came_home": Text(zh="患者已回家,请继续随访", en="the patient is back home: please follow up"),
}
ACKNOWLEDGED = Text(zh="家庭医生已确认,请县级专家组决定", en="acknowledged at tier 2: the county team decides")


def title(consequence: Consequence, *, initials: str, bed: str) -> str:
    """Head a notice: priority, who (initials and bed), which rule."""
    level = EMERGENCY if consequence.emergency else PRIORITIES[consequence.priority]
    rule = RULES.get(consequence.rule, Text(zh=consequence.rule, en=consequence.rule))
    where = f"{_BESIDE[bed].zh} {_BESIDE[bed].en}" if bed in _BESIDE else bed
    return f"【{level.zh} {level.en}】{initials} {where} {rule.zh} / {rule.en}"


def body(
    *, kind: Kind, step: int, since: datetime, time_zone: str, link: str, act: str, words: Text | None = None
) -> str:
    """Write a notice to a person on duty: whose turn it is or what was decided (`act`), since when, where to answer.

    `words` stand in place of the first where something else is to be said.
    """
    turn = words or DECIDED.get(act) or (ACKNOWLEDGED if act == "acknowledge" else _STEPS[kind][step])
    local = f"{since.astimezone(zone_of(time_zone)):%m-%d %H:%M}"
    return f"{turn.zh}(自 {local})\n{turn.en} (since {local})\n{link}"


def household_body(consequence: Consequence, *, initials: str) -> str:
    """Write a notice to the household; with the emergency flag it prompts for 120, which a human calls."""
    technical = _TECHNICAL.get(consequence.family, CHECK_DEVICE)
    text = HOUSEHOLD if consequence.emergency else technical if consequence.technical else MEASURE_AGAIN
    return f"{text.zh.format(who=initials)}\n{text.en.format(who=initials)}"


def roster_words(evidence: Mapping[str, Any], time_zone: str) -> Text | None:
    """Write which duty nobody will hold, and from when, in the organisation's time; None where that is not known."""
    begins_at, duty = evidence.get("begins_at"), DUTIES.get(str(evidence.get("duty")))
    if not isinstance(begins_at, str):
        return None
    local = f"{datetime.fromisoformat(begins_at).astimezone(zone_of(time_zone)):%m-%d %H:%M}"
    said = duty or Text(zh="值班", en="duty")
    return Text(
        zh=f"{local}起无人担任{said.zh},请安排人员值班(见值班页)",
        en=f"from {local} nobody holds {said.en}: please put somebody on duty (the page Duty)",
    )


def storm_words(evidence: Mapping[str, Any]) -> Text | None:
    """Write how many faults of which kind have one cause; None where that is not known."""
    count, kind = evidence.get("members_now"), STORMS.get(str(evidence.get("of")))
    if kind is None or not isinstance(count, int):
        return None
    return Text(
        zh=f"{kind.zh}共{count}个,很可能是同一原因,请查明并处理;名单见该告警页",
        en=f"{count} {kind.en}, most likely by one cause: find it and see to it; the alarm's page lists them",
    )


def gathered_title(count: int, *, urgent: bool) -> str:
    """Head the notice that speaks of others, which were too many in too short a time."""
    if urgent:
        return f"【紧急汇总 URGENT】同时发生{count}条警报 / {count} alarms at once"
    return f"【汇总 SUMMARY】{count}条中低级别警报 / {count} alarms of medium or low priority"


def gathered_body(count: int, titles: Sequence[str], *, urgent: bool, link: str, duties: int = 0) -> str:
    """Say how many wait in the inbox (and on the page of duty), and list the first of what is urgent."""
    if not urgent:
        duty = f"\n其中{duties}条为值班变更 / {duties} of them are changes of duty: {link}duty" if duties else ""
        return (
            f"收件箱中有{count}条新的中低级别警报\n"
            f"{count} new alarms of medium or low priority wait in your inbox{duty}\n{link}"
        )
    more = [f"… +{count - len(titles)}"] if count > len(titles) else []
    head = f"请立即查看收件箱中的{count}条警报\nLook at your inbox now: {count} alarms"
    return "\n".join([head, *titles, *more, link])


TEST_TITLE = "【演练 TEST】传呼测试，没有患者发病 / test of paging: nobody is ill"


def paging_test_body(*, link: str) -> str:
    """Ask whoever gets a test of paging to answer it."""
    return f"这是演练，不是警报。请点链接应答\nThis is a TEST, no alarm: please answer by the link\n{link}"
