"""Real servers and processes as children of ours: Mosquitto, TimescaleDB, plain PostgreSQL, our own services.

The demo, the tests and `hearthwatch services` use them. Each server keeps its files in an instance folder of its
own, listens on a loopback port of its own, and is stopped by its own pid. A site runs its servers by systemd.
"""
