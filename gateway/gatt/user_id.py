"""The user whom a shared cuff or scale means: 0-254 are the device's own numbers, 255 nobody it knows."""

_UNKNOWN = 255


def user_word(user: int) -> str:
    """Name a User ID as a status word."""
    return "user_unknown" if user == _UNKNOWN else f"user_{user}"
