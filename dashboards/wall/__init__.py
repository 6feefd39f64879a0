"""The wall: what a health centre sees from five metres."""
