"""The programs of a chaos run: collectors that come, go and change their settings, and httpapi, which does, too.

Each collector has a site of its own: a filter that no other one has. So a reading has one owner.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import shapes
from published import Eras, Settings
from servers import LOOPBACK, Program, free_port

FEATURES = ("temperature", "pressure", "humidity")
INTERVALS: dict[str, int | None] = {"brief": 2, "moment": 5, "past_minute": 60, "past_hour": 3600, "all_time": None}
SITES = {"collector": "devices/{}/readings", "b": "site-b/devices/{}/readings", "c": "site-c/devices/{}/readings"}
BASE = Settings(FEATURES, tuple(INTERVALS.items()), limit=6, lowest=True)


def owner_of(topic: str) -> str:
    """A site is the group of Sparkplug's topics."""
    levels = topic.split("/")
    return {"devices": "collector", "site-b": "b", "site-c": "c"}[levels[levels[0] == "spBv1.0"]]


def some_settings(rng: random.Random, drops: bool) -> Settings:
    """Like BASE, mostly; each part is another in one case of four, a retention only if it `drops`."""

    def some(of: Any) -> Any:
        return tuple(rng.sample(of, rng.randint(1, len(of)))) if rng.random() < 0.25 else of

    return Settings(
        features=some(BASE.features),
        intervals=some(BASE.intervals),
        limit=rng.randint(1, 9) if rng.random() < 0.25 else BASE.limit,
        lowest=rng.random() < 0.75,
        retention="1d" if drops and rng.random() < 0.25 else "0",
    )


class Cast:
    """`more` are further settings of a collector, by its id."""

    def __init__(self, stack: Any, rng: random.Random, more: Callable[[str], dict[str, Any]]) -> None:
        self.stack = stack
        self.rng = rng
        self.eras = Eras()
        self.settings = dict.fromkeys(SITES, BASE)
        self.httpapi_settings = BASE
        self.collectors: dict[str, Program] = {}
        self.seconds: dict[str, Program] = {}  # of the same id, waiting
        self.httpapi: Program | None = None
        self.has_retention = False
        self.drops = rng.random() < 0.5  # what may be dropped may be lost, too, and nobody would see: so in half of all rounds all has to stay
        self._more = more
        # One of them reads messages of other shapes, too. It keeps all features: what a mapping does not keep of a message
        # is no part of what the reading is known by.
        self.mapped = rng.choice(list(SITES))
        self.mappings = stack.logs / f"mappings-{self.mapped}.json"
        self.mappings.write_text(shapes.mapping(self.mapped_site, FEATURES))

    @property
    def mapped_site(self) -> str:
        return SITES[self.mapped].split("/")[0]

    # --- Collectors

    def _program(self, owner: str) -> Program:
        program: Program = self.stack.program(
            "collector",
            log_name=f"collector-{owner}",
            collector_id=owner,
            subscribe=SITES[owner].replace("{}", "+"),
            metrics_listen=f"{LOOPBACK}:{free_port()}",
            **{**self.settings[owner].for_collector(), **self._more(owner)},
            **({"mappings": self.mappings} if owner == self.mapped else {}),
        )
        program.start()
        return program

    def is_running(self, owner: str) -> bool:
        return owner in self.collectors and self.collectors[owner].is_running()

    def start(self, owner: str) -> None:
        """Starts it with its settings, unless it runs."""
        if not self.is_running(owner):
            self.has_retention |= self.settings[owner].retention != "0"
            self.eras.begin(owner, self.settings[owner])
            self.collectors[owner] = self._program(owner)

    def end(self, owner: str, kindly: bool) -> None:
        """The first of this id, so that a second one takes over."""
        if owner not in self.collectors:
            return
        if kindly:
            self.collectors[owner].terminate(30)
        else:
            self.collectors[owner].kill9()
        if owner in self.seconds:
            self.collectors[owner] = self.seconds.pop(owner)

    def end_all(self, owner: str, kindly: bool) -> None:
        while self.is_running(owner):
            self.end(owner, kindly)

    def start_second(self, owner: str) -> None:
        if self.is_running(owner) and owner not in self.seconds:
            self.seconds[owner] = self._program(owner)

    def change(self, owner: str) -> None:
        """Other settings for its next start."""
        self.settings[owner] = self._some_settings(owner)

    def _some_settings(self, owner: str) -> Settings:
        settings = some_settings(self.rng, self.drops)
        return replace(settings, features=FEATURES) if owner == self.mapped else settings

    # --- httpapi

    def start_httpapi(self) -> None:
        """In the end it listens; what is asked until then is refused."""
        if self.httpapi is None or not self.httpapi.is_running():
            program = self.stack.program(
                "httpapi", http_listen=f"{LOOPBACK}:{self.stack.http_port}", **self.httpapi_settings.for_httpapi()
            )
            program.start()
            self.httpapi = program

    def change_httpapi(self) -> None:
        """Only while it is down: a client would take these for those of the one that answers."""
        self.httpapi_settings = some_settings(self.rng, self.drops)

    # --- The end

    def start_everybody(self) -> None:
        for owner in SITES:
            self.start(owner)
        self.start_httpapi()

    def agree(self) -> None:
        """Everybody has the same settings, so that boards can answer."""
        agreed = self._some_settings(self.mapped)
        for owner in SITES:
            if self.settings[owner] != agreed:
                self.end_all(owner, kindly=True)
                self.settings[owner] = agreed
                self.start(owner)
        if self.httpapi is not None:
            self.httpapi.terminate(30)
        self.httpapi_settings = agreed
        self.start_httpapi()
