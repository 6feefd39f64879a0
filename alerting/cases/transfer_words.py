"""What a notice says about a referral, in Chinese and English: minimal, as alerting/words.py has it (core)."""

from datetime import timedelta

from alerting.cases.transfer import Event, Stage
from alerting.words import Text

_WORDS: dict[tuple[Stage, bool], Text] = {
    (Stage.OFFERED, False): Text(
        zh="请收治该患者:请在{within}分钟内接受,或说明原因拒绝",
        en="please take this patient: accept within {within} min, or refuse and say why",
    ),
    (Stage.UNPLACED, False): Text(
        zh="所有医院均未接收!请县级专家组立即协调",
        en="NO HOSPITAL HAS TAKEN THIS PATIENT: county team, find one now",
    ),
    (Stage.ACCEPTED, False): Text(
        zh="医院已接受转诊,请在{within}分钟内出发", en="a hospital takes the patient: leave within {within} min"
    ),
    (Stage.ACCEPTED, True): Text(
        zh="转运仍未出发,请立即联系车辆和医院", en="the patient has still not left: call vehicle and hospital now"
    ),
    (Stage.IN_TRANSIT, False): Text(zh="患者在途,请准备接诊", en="the patient is on the way: be ready"),
    (Stage.IN_TRANSIT, True): Text(
        zh="患者仍未到达,请立即联系车辆", en="the patient has still not arrived: call the vehicle now"
    ),
    (Stage.RECEIVED, False): Text(zh="医院已接诊", en="the hospital has received the patient"),
    (Stage.RECEIVED, True): Text(
        zh="医院尚未反馈诊疗结果,请反馈", en="the hospital has not answered yet: please say how it goes"
    ),
    (Stage.ADMITTED, False): Text(zh="患者已住院", en="the patient is admitted"),
    (Stage.ADMITTED, True): Text(zh="请反馈住院情况", en="please say how the stay in hospital goes"),
    (Stage.RETURNING, False): Text(
        zh="患者出院回家,请在{within}小时内上门或电话确认", en="discharged: see or phone the patient within {within} h"
    ),
    (Stage.RETURNING, True): Text(
        zh="患者回家后尚未确认,请立即联系", en="not yet seen after the discharge: contact the patient now"
    ),
}
CALL_120 = Text(
    zh="请现在有人拨打120:系统不会自动拨打。拨打后请记录已出发",
    en="A PERSON MUST CALL 120 NOW: the system never does. Then say that the patient has left",
)
REFUSED = Text(
    zh="有医院拒绝接收或未答复,原因见转诊页", en="a hospital has refused or not answered: the referral says why"
)
TURNED_AWAY = Text(
    zh="已接受的医院不再接收,正在征询下一家,请等待去向",
    en="the hospital no longer takes the patient: the next is being asked",
)
_ENDED: dict[Event, Text] = {
    Event.RETURN: Text(zh="患者已回家,请继续随访", en="the patient is back home: please follow up"),
    Event.DIED: Text(zh="患者已去世", en="the patient has died"),
    Event.WITHDRAW: Text(zh="转诊已撤回", en="the referral is withdrawn"),
}


def words_of(stage: Stage, event: Event, *, within: timedelta | None) -> Text:
    """Say what is wanted of whoever is paged when an event has led to a stage; `within` is the stage's clock."""
    if stage is Stage.ENDED:
        return _ENDED[event]
    is_chase = event is Event.DEADLINE and (stage, True) in _WORDS
    text, unit = _WORDS[stage, is_chase], timedelta(hours=1) if stage is Stage.RETURNING else timedelta(minutes=1)
    count = round(within / unit) if within else 0
    return Text(zh=text.zh.format(within=count), en=text.en.format(within=count))
