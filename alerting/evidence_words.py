"""The words in which an alarm's evidence is told, in Chinese and English, by the codes that alerting writes."""

from alerting.spot.spells import How
from alerting.words import Text
from care.follow_up import Sign, Way
from vitals.signals import Signal

SIGNAL_WORDS = {
    Signal.SPO2: Text(zh="血氧", en="SpO2"),
    Signal.PULSE: Text(zh="脉搏", en="pulse"),
    Signal.PERFUSION_INDEX: Text(zh="灌注指数", en="perfusion index"),
    Signal.TEMPERATURE: Text(zh="体温", en="temperature"),
    Signal.RESPIRATORY_RATE: Text(zh="呼吸频率", en="respiratory rate"),
    Signal.SYSTOLIC: Text(zh="收缩压", en="systolic pressure"),
    Signal.DIASTOLIC: Text(zh="舒张压", en="diastolic pressure"),
    Signal.MEAN_ARTERIAL: Text(zh="平均动脉压", en="mean arterial pressure"),
    Signal.GLUCOSE: Text(zh="血糖", en="glucose"),
    Signal.RR_INTERVAL: Text(zh="心搏间期", en="beat interval"),
    Signal.WEIGHT: Text(zh="体重", en="weight"),
    Signal.STEPS: Text(zh="步数", en="steps"),
    Signal.BATTERY: Text(zh="电量", en="battery"),
}
ITEM_WORDS = SIGNAL_WORDS | {
    "oxygen": Text(zh="吸氧", en="oxygen"),
    "consciousness": Text(zh="意识", en="consciousness"),
}
SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}

WHY = {
    "lost_while_low": Text(zh="越限时信号中断", en="the signal was lost while beyond the limit"),
    "still_present": Text(zh="再次检查时仍在持续", en="still present when looked at again"),
    "no_repeat": Text(zh="未按时复测", en="no repeat measurement in time"),
    "repeated": Text(zh="复测证实", en="confirmed by a repeat"),
    "at_once": Text(zh="一次即报警", en="one measurement is enough"),
    "unusable": Text(zh="有信号但不可用", en="heard, but unusable"),
    "nothing_received": Text(zh="没有收到任何数据", en="nothing received"),
    "no_heartbeat": Text(zh="未收到心跳", en="no heartbeat"),
    "last_will": Text(zh="网关已断开", en="the gateway is gone"),
    "bluetooth": Text(zh="蓝牙故障", en="Bluetooth is in trouble"),
    "clock_ahead": Text(zh="网关时钟超前", en="the gateway's clock is ahead"),
    "clock_behind": Text(zh="网关时钟滞后", en="the gateway's clock is behind"),
    "not_synchronised": Text(zh="网关时钟未校准", en="the gateway's clock is not synchronised"),
    "dated_ahead": Text(zh="读数时间在未来", en="readings are dated ahead"),
    "backlog": Text(zh="读数在网关中等待", en="readings wait in the gateway"),
    "ingest_silent": Text(zh="接收服务没有发言", en="ingest says nothing"),
    "no_broker": Text(zh="接收服务连不上消息代理", en="ingest has no broker"),
    "nothing_brought": Text(zh="消息代理没有送来任何网关的数据", en="the broker brings nothing of any gateway"),
    "battery": Text(zh="电量低", en="the battery is low"),
    "overdue": Text(zh="没有按时测量", en="not measured in time"),
    "unknown_device": Text(zh="设备未登记", en="the device is not registered"),
    "unbound_device": Text(zh="设备未绑定患者", en="the device is bound to nobody"),
    "unknown_gateway": Text(zh="网关未登记", en="the gateway is not registered"),
    "unjudged": Text(zh="判读失败", en="judging fails"),
    "roster_hole": Text(zh="值班表有空缺", en="nobody is on the roster"),
    "never_rostered": Text(zh="从未排班", en="nobody was ever put on duty"),
    "storm_gateway": Text(zh="多个网关几乎同时失联", en="gateways fell silent at about the same time"),
    "storm_adapter": Text(zh="多个网关几乎同时蓝牙故障", en="gateways' Bluetooth failed at about the same time"),
    "storm_clock": Text(zh="多个网关几乎同时时钟不准", en="gateways' clocks went wrong at about the same time"),
    "storm_backlog": Text(zh="多个网关几乎同时数据积压", en="readings wait in gateways since about the same time"),
    "storm_spot_overdue": Text(zh="多名患者几乎同时应测未测", en="measurements are overdue since about the same time"),
    "storm_no_data": Text(
        zh="同型号设备几乎同时没有数据", en="devices of one model fell silent at about the same time"
    ),
    "bound_to_nobody": Text(zh="设备未绑定患者，请立即找到佩戴者", en="bound to nobody: find who wears it"),
}
SESSIONS = {
    How.UNSTABLE: Text(zh="读数不稳", en="the reading did not come to rest"),
    How.DERIVED: Text(zh="由其他信号推算，并非实测", en="made from another signal, not measured"),
}
TAGS = {"nhc_severe_spo2": Text(zh="达到诊疗方案重型指氧标准", en="severe by SpO2 in the national protocol")}
WARNING_SIGNS = {
    Sign.BREATHLESS: Text(zh="呼吸困难", en="hard to breathe"),
    Sign.PAIN: Text(zh="胸痛或腹痛", en="pain in chest or belly"),
    Sign.CYANOSIS: Text(zh="口唇面色青紫", en="blue lips or face"),
    Sign.CONFUSED: Text(zh="意识不清", en="confused"),
    Sign.DROWSY: Text(zh="嗜睡叫不醒", en="can not be kept awake"),
    Sign.NO_SPEECH: Text(zh="不能说话或活动", en="can not speak or move"),
    Sign.SEIZURE: Text(zh="抽搐", en="seizure"),
    Sign.NO_INTAKE: Text(zh="不能进食饮水，或吐泻超过两天", en="can not eat or drink, or vomits for two days"),
    Sign.LASTING_FEVER: Text(zh="用药后高热超过三天", en="high fever for three days in spite of medicine"),
    Sign.DISEASE_WORSE: Text(zh="基础疾病明显加重", en="an underlying disease is clearly worse"),
}
WAYS = {
    Way.PHONE: Text(zh="电话随访时得知", en="told on the phone"),
    Way.VIDEO: Text(zh="视频随访时得知", en="told by video"),
    Way.VISIT: Text(zh="上门随访时所见", en="seen at a visit"),
    Way.REPORT: Text(zh="患者自报", en="reported by the household"),
}
