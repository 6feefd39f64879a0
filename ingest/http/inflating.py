"""gzip bodies (RFC 1952) within a bound: no more is ever unpacked than would be taken."""

import zlib

_GZIP = 16 + zlib.MAX_WBITS


class BadGzip(ValueError):
    """A body is no gzip stream, is cut short, or holds bytes behind the stream."""


class InflatesTooFar(ValueError):
    """A body unpacks to more than is taken: a mistake, or a bomb."""


def inflate(body: bytes, *, bytes_max: int) -> bytes:
    """Unpack a gzip body. Raises BadGzip, InflatesTooFar; memory is bounded by `bytes_max` whatever the body."""
    stream = zlib.decompressobj(_GZIP)
    try:
        inflated = stream.decompress(body, bytes_max + 1)
    except zlib.error as exc:
        raise BadGzip(f"the body is no gzip stream: {exc}") from exc
    if len(inflated) > bytes_max:
        raise InflatesTooFar(f"{len(body)} bytes unpack to more than {bytes_max}")
    if not stream.eof:
        raise BadGzip(f"the gzip stream is cut short: {len(body)} bytes unpack to {len(inflated)}, and more follow")
    if stream.unused_data:
        raise BadGzip(f"{len(stream.unused_data)} bytes stand behind the gzip stream")
    return inflated
