"""Payloads to begin with, in hex: all that a Bluetooth SIG characteristic can say, and recorded frames of makers."""

TIME = "ea070b15160f1e"  # 2026-11-21 22:15:30

# With every field that can be announced.
FULL: dict[str, str] = {
    "2a5f": "1f" + "61004800" * 3 + "8000" + "000000" + "0cf0",
    "2a5e": "0f" + "61004800" + TIME + "8000" + "000000" + "0cf0",
    "2a60": "0300" + "ffff" + "ffffff",
    "2a1c": "06" + "700100ff" + TIME + "06",
    "2a1e": "06" + "700100ff" + TIME + "06",
    "2a35": "1e" + "780050005d00" + TIME + "4800" + "01" + "0000",
    "2a36": "1e" + "780050005d00" + TIME + "4800" + "01" + "0000",
    "2a18": "1b" + "0400" + TIME + "0500" + "68b0" + "11" + "0000",
    "2a34": "ff" + "0000" + "00" + "036400" + "04" + "12" + "3c0032" + "04cdb0" + "59f1",
    "2a9d": "0e" + "c832" + TIME + "02" + "d400" + "db06",
    "2a37": "1f" + "4800" + "3200" + "0004" + "0004",
    "2a52": "05000c00",
    "2a19": "57",
    "2a2b": TIME + "048002",
    "2a08": TIME,
}

# By driver; tests/gateway/drivers names the sources. A driver without a line is fuzzed from FULL or from nothing.
RECORDED: dict[str, tuple[str, ...]] = {
    "jumper": ("81386344", "81ff7f00"),
    "berrymed": ("84320548618430044861c42e034961842b024961",),
    "yuwell": ("fe0856180004229cfe0a55004f6314bf391dfe08", "56160003239a"),
    "viatom": ("5500ff00000d00624200000000006100920a01002f",),
    "contec": ("eb01053e627f0010", "eb7f6a", "f070"),
    "beurer_po60": ("e0050000000065", "e9000f0b060d14250f0b060d143a0000166060606f6e6e4b"),
    "viatom_pc60fw": ("aa550f08016358005c00c067", "aa550f07026e5fcc3722ed"),
    "nonin": ("0a151e020b0102610048",),
    "masimo": ("7703fe02cc", "7711050000000000620048101400260200100e"),
    "bthome": ("440161026f0e", "4053045465737402a20e"),
    "xiaomi_thermometer": ("7022db006fc16fddf9810009002005c60d630d51", "702291030fdbab531824d0090a0002740e"),
}
