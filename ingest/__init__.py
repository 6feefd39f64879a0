"""From a message to committed rows: `broker` and `http` take it, `judging` reads it, `store` keeps it.

`rejected` holds what was not taken, `tend` does what time brings; `feed` is what other rooms read.
"""
