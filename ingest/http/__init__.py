"""HTTP intake: readings from phones and other clouds that can not speak MQTT."""
