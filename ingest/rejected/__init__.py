"""What was put aside: looked at, and judged again once its cause is gone."""
