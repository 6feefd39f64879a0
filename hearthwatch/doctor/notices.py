"""Check of notices: their links acknowledge, as alerting and the console have a secret that signs them."""

from collections.abc import Mapping

from alerting.link import WeakSecret, keys_of
from vitals.finding import Finding, Words, broken, fine, warning

CHECK = "notice links"
SETTING = "HEARTHWATCH_LINK_SECRET"
_WAY_OUT = Words(
    en=f"give alerting and the console the same {SETTING}:"
    ' python3 -c "import secrets; print(secrets.token_urlsafe(32))" draws one (docs/notices.md)',
    zh=f"请为 alerting 和控制台设置相同的 {SETTING}，可用"
    ' python3 -c "import secrets; print(secrets.token_urlsafe(32))" 生成（docs/notices.md）',
)


def links(environment: Mapping[str, str]) -> Finding:
    """Check that links are signed, and by something that is no guess."""
    secrets = (environment.get(SETTING, ""), environment.get(f"{SETTING}_BEFORE", ""))
    try:
        keys_of(*secrets)
    except WeakSecret:
        return broken(
            CHECK,
            en=f"{SETTING} or {SETTING}_BEFORE is too short: alerting and the console do not start with it",
            zh=f"{SETTING} 或 {SETTING}_BEFORE 太短：alerting 和控制台无法启动",
            way_out=_WAY_OUT,
        )
    if not secrets[0]:
        return warning(
            CHECK,
            en=f"{SETTING} is not set: links in notices lead to the console, where one has to sign in to acknowledge",
            zh=f"未设置 {SETTING}：通知中的链接指向控制台，须登录后才能确认",
            way_out=_WAY_OUT,
        )
    return fine(CHECK, en="links in notices acknowledge without signing in", zh="通知中的链接无需登录即可确认")
