"""What a fork server loads before it forks workers: importing this loads the channels' code, most of a second each."""

from alerting.sending import warm_up_channels

warm_up_channels()
