"""The product as a whole: command line, services, migrations, demo, self-check."""
