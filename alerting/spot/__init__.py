"""Single measurements, their repeats, and fevers of days: judged over what is stored."""
