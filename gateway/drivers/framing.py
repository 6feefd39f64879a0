"""Cuts frames out of a stream of bytes whose notification borders mean nothing, and finds its way back after junk."""

from collections.abc import Callable, Sequence

LengthOf = Callable[[bytes], int | None]
"""How long the whole frame is that begins here: 0 while too few bytes (at least one) say, None where none begins."""


class Stream:
    """One link's stream. What lies between whole frames is given as one piece, so that decode refuses and names it.

    A link is taken up in the middle of the talk: its first bytes, where they begin no frame and are fewer than one, may
    be the end of a frame that began before we listened, and are passed over. Bound: less than one longest frame is kept
    between notifications, and as much of what was passed over.
    """

    def __init__(self, length_of: LengthOf, *, is_whole: Callable[[bytes], bool], longest_bytes: int) -> None:
        self._length_of = length_of
        self._is_whole = is_whole
        self._longest_bytes = longest_bytes
        self._kept = b""
        self._has_begun = False
        self._passed_over = b""

    @property
    def kept_bytes(self) -> int:
        """How much is kept of a frame that is not whole yet."""
        return len(self._kept)

    @property
    def rest(self) -> str:
        """What was fed and not given, in words; empty where there is nothing."""
        said = [f"{self._passed_over.hex()} is passed over, as no frame begins there"] if self._passed_over else []
        if self._kept:
            length = self._length_of(self._kept)
            wanted = f"of {length} bytes" if length else "too short to tell its length"
            said.append(f"{self._kept.hex()} is kept, {len(self._kept)} bytes of a frame {wanted}")
        return "; ".join(said)

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
                self._has_begun = True
                junk_at = at = at + length
        self._kept = buffer[at:]
        return (*pieces, *self._junk(buffer[junk_at:at]))

    def _junk(self, octets: bytes) -> Sequence[bytes]:
        if not octets:
            return ()
        may_be_an_end = not self._has_begun and len(self._passed_over) + len(octets) < self._longest_bytes
        if may_be_an_end and self._length_of(octets) is None:
            self._passed_over += octets
            return ()
        self._has_begun = True
        return (octets,)
