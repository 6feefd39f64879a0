"""Decoders of Bluetooth SIG characteristics: bytes in, measurements or one typed error out; all cores."""
