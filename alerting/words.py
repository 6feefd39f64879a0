"""What a notice says, in Chinese and English: minimal (initials, bed, rule, since when), never a name."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from alerting.profile.profile import Consequence, Priority


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
    "TECH-NODATA": Text(zh="没有有效数据", en="No valid data"),
    "TECH-NODATA-LONG": Text(zh="长时间没有有效数据", en="No valid data for a long time"),
}
EMERGENCY = Text(zh="紧急", en="EMERGENCY")
PRIORITIES = {
    Priority.HIGH: Text(zh="高", en="HIGH"),
    Priority.MEDIUM: Text(zh="中", en="MEDIUM"),
    Priority.LOW: Text(zh="低", en="LOW"),
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
MEASURE_AGAIN = Text(
    zh="请为{who}重新测量,家庭医生会联系您。",
    en="Please measure {who} again; your family doctor will contact you.",
)
CHECK_DEVICE = Text(
    zh="没有收到{who}的有效数据,请检查指夹或设备是否戴好、是否有电。",
    en="No valid data of {who}: please check that the device is worn well and charged.",
)
DECIDED = {
    "stay_home": Text(
        zh="县级专家组决定居家观察,请继续随访", en="the county team decides: observe at home, please follow up"
    ),
    "refer": Text(zh="县级专家组决定转诊,请协助", en="the county team decides: refer, please assist"),
}
ACKNOWLEDGED = Text(zh="家庭医生已确认,请县级专家组决定", en="acknowledged at tier 2: the county team decides")


def title(consequence: Consequence, *, initials: str, bed: str) -> str:
    """Head a notice: priority, who (initials and bed), which rule."""
    level = EMERGENCY if consequence.emergency else PRIORITIES[consequence.priority]
    rule = RULES.get(consequence.rule, Text(zh=consequence.rule, en=consequence.rule))
    return f"【{level.zh} {level.en}】{initials} {bed} {rule.zh} / {rule.en}"


def body(*, step: int, since: datetime, time_zone: str, link: str, act: str) -> str:
    """Write a notice to a person on duty: whose turn it is or what was decided (`act`), since when, where to answer."""
    turn = DECIDED.get(act) or (ACKNOWLEDGED if act == "acknowledge" else STEPS[step])
    local = f"{since.astimezone(ZoneInfo(time_zone)):%m-%d %H:%M}"
    return f"{turn.zh}(自 {local})\n{turn.en} (since {local})\n{link}"


def household_body(consequence: Consequence, *, initials: str) -> str:
    """Write a notice to the household; with the emergency flag it prompts for 120, which a human calls."""
    text = HOUSEHOLD if consequence.emergency else CHECK_DEVICE if consequence.technical else MEASURE_AGAIN
    return f"{text.zh.format(who=initials)}\n{text.en.format(who=initials)}"
