"""Every template's answer, derived again from its parameters by another path.

Nothing here is shared with the templates: exact fractions in closed form, brute force where the
template reasons, datetime where it counts minutes.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from fractions import Fraction as F
from itertools import combinations, permutations, product
from typing import Any

P = dict[str, Any]
DAY = datetime(2026, 3, 2)  # a Monday
WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def at(minutes: int) -> datetime:
    return DAY + timedelta(minutes=minutes)


def show(moment: datetime) -> str:
    return moment.strftime("%I:%M %p").lstrip("0")


def shift(start: int, **span: int) -> str:
    return show(at(start) + timedelta(**span))


def minutes(start: int, end: int) -> float:
    return (at(end) - at(start)).total_seconds() / 60


def weekday(index: int, days: int) -> str:
    return (DAY + timedelta(days=index + days)).strftime("%A")


def order_of(facts: str) -> list[str]:
    """Try every order until all statements hold."""
    said = [fact.strip().split() for fact in facts.split(".") if fact.strip()]
    names = sorted({name for words in said for name in (words[0], words[-1])})
    for row in permutations(names):
        if all(
            (row.index(words[0]) < row.index(words[-1]))
            == (words[2] in ("taller", "older", "faster"))
            for words in said
        ):
            return list(row)
    raise AssertionError(facts)


def first_free_seat(p: P) -> int:
    seat = p["seat"]
    for _ in range(p["step"]):
        seat = seat + 1 if seat < p["count"] else 1
    return seat


def two_machines(p: P) -> int:
    jobs = [p["a"], p["b"], p["c"], p["d"]]
    return min(
        max(sum(j for j, m in zip(jobs, where, strict=True) if m == machine) for machine in (0, 1))
        for where in product((0, 1), repeat=4)
    )


def oven(p: P) -> str:
    free = ready = at(p["start"])
    for _ in range(p["count"]):
        ready += timedelta(minutes=p["prep"])
        free = max(free, ready) + timedelta(minutes=p["bake"])
    return show(free)


def next_bus(p: P) -> int:
    bus = p["first"]
    while bus < p["arrive"]:
        bus += p["every"]
    return bus - p["arrive"]


def overlap(*spans: tuple[int, int]) -> int:
    return sum(all(a <= minute < b for a, b in spans) for minute in range(1440))


def first_to_finish(p: P) -> str:
    ends = [at(s) + timedelta(minutes=w) for s, w in zip(p["starts"], p["works"], strict=True)]
    return p["names"][ends.index(min(ends))]


def overtaken(p: P) -> list[str]:
    row = list(p["names"])
    place = p["at"]
    for _ in range(p["gain"]):
        row[place - 1], row[place] = row[place], row[place - 1]
        place -= 1
    return row


def both(p: P) -> set[str]:
    return {str(n) for n in range(200) if p["a"] <= n <= p["b"] and p["c"] <= n <= p["d"]}


def one_only(p: P) -> set[str]:
    return {str(n) for n in range(200) if p["a"] <= n <= p["b"] and (n < p["c"] or n > p["d"])}


def net_price_of_days(p: P) -> F:
    days = sum(1 for day in range(1, 32) if p["first"] <= day <= p["last"])
    return F(days * p["price"]) * (1 - F(p["off"], 100))


def beats(p: P) -> list[str]:
    return sorted(p["offsets"], key=lambda city: -p["offsets"][city])


SOLVERS: dict[str, Callable[[P], Any]] = {
    # percentages, finance, shopping
    "discount_then_coupon": lambda p: F(p["price"]) * (1 - F(p["off"], 100)) - p["coupon"],
    "markup_then_sale": lambda p: F(p["cost"]) * (1 + F(p["up"], 100)) * (1 - F(p["down"], 100)),
    "price_before_cut": lambda p: F(p["now"]) / (1 - F(p["off"], 100)),
    "part_of_a_part": lambda p: F(p["whole"] * p["first"] * p["second"], 10000),
    "raise_in_pay": lambda p: F(p["pay"]) * (1 + F(p["up"], 100)) + p["bonus"],
    "percentage_of_change": lambda p: (F(p["new"], p["old"]) - 1) * 100,
    "simple_interest": lambda p: F(p["loan"]) * (1 + F(p["rate"] * p["years"], 100)),
    "compound_two_years": lambda p: F(p["start"]) * (1 + F(p["rate"], 100)) ** 2,
    "shared_bill": lambda p: F(p["bill"]) * (1 + F(p["tip"], 100)) / p["people"],
    "profit_of_a_stall": lambda p: p["price"] * p["count"] - p["cost"] * p["count"] - p["fee"],
    "saving_for_a_goal": lambda p: next(
        w for w in range(999) if p["have"] + w * p["weekly"] >= p["goal"]
    ),
    "tax_on_the_gain": lambda p: p["paid"] + (p["sold"] - p["paid"]) * (1 - F(p["tax"], 100)),
    "there_and_back_in_currency": lambda p: p["dollars"] - F(p["spent"]) / F(str(p["rate"])),
    "change_from_a_note": lambda p: p["note"] - sum([p["price"]] * p["count"]),
    "two_kinds_of_ticket": lambda p: sum([p["adult"]] * p["adults"] + [p["child"]] * p["children"]),
    "three_for_two": lambda p: sum(p["price"] for loaf in range(p["loaves"]) if loaf % 3 != 2),
    "cheaper_pack": lambda p: F(p["small_price"], p["small"]) - F(p["large_price"], p["large"]),
    "membership_pays": lambda p: next(
        n for n in range(1, 999) if p["fee"] + n * p["member"] <= n * p["normal"]
    ),
    "fruit_by_weight": lambda p: p["pears"] * F(str(p["kilos"])) + p["apples"] * p["more"],
    # averages, recipes, units
    "average_of_three": lambda p: F(p["a"], 3) + F(p["b"], 3) + F(p["c"], 3),
    "weighted_grade": lambda p: p["exam"] + F(p["weight"], 100) * (p["work"] - p["exam"]),
    "score_still_needed": lambda p: next(
        s for s in range(301) if F(p["a"] + p["b"] + s, 3) == p["target"]
    ),
    "average_of_two_groups": lambda p: F(
        sum([p["a"]] * p["m"] + [p["b"]] * p["n"]), len([0] * p["m"] + [0] * p["n"])
    ),
    "without_the_largest": lambda p: F(sum(sorted([p["a"], p["b"], p["c"]])[:2]), 2),
    "recipe_for_more": lambda p: F(p["grams"] * p["wanted"], p["serves"]),
    "recipe_scaled_and_doubled": lambda p: F(p["cups"] * p["wanted"] * 2, p["serves"]),
    "limited_by_an_ingredient": lambda p: p["milk"] - p["eggs"] // p["per_eggs"] * p["per_milk"],
    "mixing_a_drink": lambda p: F(p["glasses"] * p["glass"] * p["syrup"], p["syrup"] + p["water"]),
    "oven_in_batches": lambda p: len(range(0, p["biscuits"], p["tray"])) * p["minutes"],
    "miles_and_kilometers": lambda p: F(16 * p["miles"], 10) + p["more"],
    "fahrenheit_and_warming": lambda p: F(5, 9) * (p["f"] - 32) + p["more"],
    "minutes_to_hours_of_work": lambda p: F(
        int(timedelta(minutes=p["minutes"] * p["lessons"]).total_seconds()), 3600
    ),
    "boards_from_a_beam": lambda p: p["total_cm"] % p["piece"],
    "price_per_other_unit": lambda p: F(p["kilos"] * 1000 * p["price"], p["grams"]),
    "tank_and_bucket": lambda p: 1000 * p["bucket"] * p["count"] - 1000 * p["leak"],
    # rates, geometry, counting
    "distance_at_two_speeds": lambda p: sum([p["slow"]] * p["first"] + [p["fast"]] * p["second"]),
    "average_speed": lambda p: F(p["a"] + p["b"]) / (p["first"] + p["second"]),
    "catching_up": lambda p: next(
        h for h in range(1, 99) if h * p["fast"] >= p["lead"] + h * p["slow"]
    ),
    "printers_together": lambda p: next(
        m for m in range(1, 999) if m * p["a"] + m * p["b"] >= p["job"]
    ),
    "filling_and_draining": lambda p: next(
        m for m in range(1, 999) if m * p["inflow"] - m * p["outflow"] >= p["volume"]
    ),
    "workers_and_days": lambda p: F(p["days"]) * F(p["workers"], p["new"]),
    "area_of_a_frame": lambda p: (
        p["a"] * p["b"] - 2 * p["edge"] * (p["a"] + p["b"]) + 4 * p["edge"] ** 2
    ),
    "fence_of_a_garden": lambda p: (p["a"] + p["a"] + p["b"] + p["b"]) * p["price"],
    "tiles_on_a_floor": lambda p: F(p["width"] * p["length"], p["tile"] ** 2),
    "box_of_water": lambda p: F(p["a"], 10) * F(p["b"], 10) * F(p["c"], 10),
    "side_of_a_field": lambda p: (
        p["length"]
        * next(w for w in range(999) if w + w + p["length"] + p["length"] == p["perimeter"])
    ),
    "outfits": lambda p: len(
        list(product(range(p["shirts"]), range(p["trousers"]), range(p["hats"])))
    ),
    "handshakes": lambda p: len(list(combinations(range(p["people"]), 2))),
    "seats_in_growing_rows": lambda p: list(range(p["first"], 999, p["more"]))[p["rows"] - 1],
    "either_language": lambda p: (
        (p["french"] - p["both"]) + (p["german"] - p["both"]) + p["both"] + p["neither"]
    ),
    "legs_in_a_yard": lambda p: sum([2] * p["hens"] + [4] * p["goats"]) - sum([4] * p["away"]),
    # time zones
    "zone_behind": lambda p: shift(p["now"], hours=-p["diff"]),
    "zone_ahead": lambda p: shift(p["now"], hours=p["diff"]),
    "zone_of_half_hours": lambda p: shift(p["now"], minutes=p["diff"]),
    "flight_with_zones": lambda p: shift(p["leave"], minutes=p["flight"], hours=-p["diff"]),
    "flight_to_the_east": lambda p: shift(p["leave"], minutes=p["flight"], hours=p["diff"]),
    "flight_time_from_local_times": lambda p: minutes(p["leave"], p["land"] - 60 * p["diff"]),
    "two_zones_apart": lambda p: shift(p["now"], hours=p["first"] - p["second"]),
    "difference_of_two_cities": lambda p: minutes(-60 * p["first"], 60 * p["second"]) / 60,
    "difference_on_one_side": lambda p: minutes(60 * p["first"], 60 * p["second"]) / 60,
    "call_window": lambda p: overlap(
        (p["opens"], p["closes"]), (p["opens"] - 60 * p["diff"], p["closes"] - 60 * p["diff"])
    ),
    "broadcast_in_another_zone": lambda p: shift(p["start"], minutes=p["play"], hours=-p["diff"]),
    "which_day_is_it": lambda p: (
        at(p["now"]) + timedelta(days=p["day"], hours=p["diff"])
    ).strftime("%A"),
    "which_day_was_it": lambda p: (
        at(p["now"]) + timedelta(days=p["day"], hours=-p["diff"])
    ).strftime("%A"),
    "earliest_new_year": beats,
    "wrong_watch": lambda p: shift(p["shown"], minutes=-p["fast"], hours=-p["diff"]),
    "deadline_abroad": lambda p: shift(p["due"], minutes=-p["need"], hours=-p["diff"]),
    # scheduling
    "leave_in_time": lambda p: shift(p["due"], minutes=-p["trip"] - p["early"]),
    "meetings_in_a_row": lambda p: shift(p["start"], minutes=p["a"] + p["gap"] + p["b"]),
    "chain_beside_a_job": lambda p: show(
        max(
            at(p["start"]) + timedelta(hours=p["a"]) + timedelta(hours=p["b"]),
            at(p["start"]) + timedelta(hours=p["c"]),
        )
    ),
    "common_free_time": lambda p: overlap((p["a1"], p["a2"]), (p["b1"], p["b2"])),
    "next_bus": next_bus,
    "latest_start_of_a_chain": lambda p: shift(p["due"], minutes=-p["a"] - p["b"] - p["c"]),
    "shifts_around_the_clock": lambda p: show(
        [at(p["start"]) + timedelta(hours=p["hours"] * turn) for turn in range(20)][p["which"] - 1]
    ),
    "two_machines": two_machines,
    "pause_in_the_work": lambda p: shift(p["start"], minutes=p["work"] + p["pause"]),
    "appointments_in_a_morning": lambda p: show(
        [at(p["start"]) + timedelta(minutes=p["each"] * n) for n in range(99)][p["patient"] - 1]
    ),
    "slots_in_a_window": lambda p: len(range(p["start"], p["end"] - p["slot"] + 1, p["slot"])),
    "order_of_dependent_jobs": lambda p: p["names"],
    "shared_oven": oven,
    "first_to_finish": first_to_finish,
    "train_connection": lambda p: shift(p["leave"], minutes=p["ride"] + p["change"] + p["second"]),
    # time
    "end_of_a_film": lambda p: shift(p["start"], minutes=p["run"]),
    "minutes_between": lambda p: minutes(p["start"], p["end"]),
    "beginning_of_a_nap": lambda p: shift(p["end"], minutes=-p["span"]),
    "laps_and_clock": lambda p: shift(p["start"], minutes=p["lap"] * p["laps"]),
    "slow_clock": lambda p: shift(p["right"], minutes=p["hours"] * (60 - p["loss"])),
    "middle_of_a_shift": lambda p: show(at(p["start"]) + (at(p["end"]) - at(p["start"])) / 2),
    "overnight_trip": lambda p: shift(p["start"], minutes=p["span"]),
    "total_of_practice": lambda p: sum([p["each"]] * p["days"]) + p["extra"],
    # logic, sets, calendar
    "row_by_height": lambda p: order_of(p["facts"]),
    "row_by_age": lambda p: order_of(p["facts"]),
    "who_is_in_the_middle": lambda p: order_of(p["facts"])[2],
    "who_tells_the_truth": lambda p: p["names"][p["thief_index"]],
    "overtaking": overtaken,
    "seats_at_a_table": first_free_seat,
    "in_both_ranges": both,
    "in_one_but_not_the_other": one_only,
    "multiples_of_two_numbers": lambda p: {
        str(n)
        for n in range(1, p["top"] + 1)
        if n in range(0, 999, p["m"]) and n in range(0, 999, p["n"])
    },
    "only_one_of_two_clubs": lambda p: set(p["chess"]) ^ set(p["choir"]),
    "weekday_after_days": lambda p: weekday(p["start"], p["days"]),
    "weekday_before_days": lambda p: weekday(p["start"], -p["days"]),
    "weeks_of_medicine": lambda p: -(-len(range(p["weeks"] * 7)) * p["daily"] // p["box"]),
    "age_from_years": lambda p: p["year"] - (p["born"] + p["older"]),
    "days_of_a_rented_bike": net_price_of_days,
}
