"""Whether a profile may be used where a site lies (CLINICAL 2.4): high up it needs a variant that somebody approved."""

from dataclasses import replace

from alerting.profile.approval import names_somebody
from alerting.profile.profile import Profile
from alerting.profile.tables import ProfileError

ALTITUDE = "altitude"


def at_site(profile: Profile, altitude_m: int) -> Profile:
    """Give a profile as it is used at a site: variants for other altitudes are gone, those for its own apply.

    Raises ProfileError where the site lies too high for limits that were made for lowlands.
    """
    _refuse_altitude(profile, altitude_m)
    return replace(
        profile,
        variants=tuple(
            replace(variant, applies=replace(variant.applies, altitude_from_m=None, altitude_until_m=None))
            for variant in profile.variants
            if (variant.applies.altitude_from_m or 0) <= max(altitude_m, 0)
            and (variant.applies.altitude_until_m is None or altitude_m < variant.applies.altitude_until_m)
        ),
    )


def _refuse_altitude(profile: Profile, altitude_m: int) -> None:
    if altitude_m < profile.own_altitude_from_m:
        return
    said = f"the site lies at {altitude_m} m; from {profile.own_altitude_from_m} m on, SpO2 limits made for lowlands"
    found = [variant for variant in profile.variants if variant.name == ALTITUDE]
    if not found:
        raise ProfileError(
            f"{said} do not hold, and profile {profile.name} has no [variant.{ALTITUDE}]: add the table that"
            " your county's lead hospital approved (docs/adding-a-rule.md)"
        )
    (variant,) = found
    if not names_somebody(variant.approved_by):
        raise ProfileError(f"{said} do not hold, and nobody has approved [variant.{ALTITUDE}]: fill in its approved_by")
    low, high = variant.applies.altitude_from_m or 0, variant.applies.altitude_until_m
    if altitude_m < low or (high is not None and altitude_m >= high):
        raise ProfileError(
            f"{said} do not hold, and [variant.{ALTITUDE}] is for {low} m to {high} m: it needs limits for this site"
        )
