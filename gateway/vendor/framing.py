"""Cuts frames out of a stream of bytes whose notification borders mean nothing, and finds its way back after junk."""

from collections.abc import Callable, Sequence

LengthOf = Callable[[bytes], int | None]
"""How long the frame is that begins here: 0 while too few bytes are there to say, None where no frame begins."""


class Stream:
    """One link's stream. What lies between whole frames is given as one piece, so that decode refuses and names it.

    A link is taken up in the middle of the talk: its first bytes, where they begin no frame and are fewer than one, may
    be the end of a frame that began before we listened, and are passed over. Bound: less than one longest frame is kept
    between notifications.
    """

    def __init__(self, length_of: LengthOf, *, is_whole: Callable[[bytes], bool], longest_bytes: int) -> None:
        self._length_of = length_of
        self._is_whole = is_whole
        self._longest_bytes = longest_bytes
        self._kept = b""
        self._passed_over_bytes_left = longest_bytes - 1

    @property
    def kept_bytes(self) -> int:
        """How much is kept of a frame that is not whole yet."""
        return len(self._kept)

    def feed(self, uuid: str, payload: bytes) -> Sequence[bytes]:  # noqa: ARG002 - one stream a link
        """Take one notification; give the frames it completes and the junk between them, in order."""
        buffer, junk_at, at = self._kept + payload, 0, 0
        pieces: list[bytes] = []
        while at < len(buffer):
            length = self._length_of(buffer[at : at + self._longest_bytes])
            if length is None or length > self._longest_bytes:
                at += 1
            elif length == 0 or at + length > len(buffer):
                break
            elif not self._is_whole(frame := buffer[at : at + length]):
                at += 1
            else:
                pieces += self._junk(buffer[junk_at:at])
                pieces.append(frame)
                self._passed_over_bytes_left = 0
                junk_at = at = at + length
        self._kept = buffer[at:]
        return (*pieces, *self._junk(buffer[junk_at:at]))

    def _junk(self, octets: bytes) -> Sequence[bytes]:
        if not octets:
            return ()
        if len(octets) <= self._passed_over_bytes_left and self._length_of(octets) is None:
            self._passed_over_bytes_left -= len(octets)
            return ()
        self._passed_over_bytes_left = 0
        return (octets,)
