"""What once made a claim ready, and no longer does: the findings 1 to 10 of "ready, and too generous"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from harness.base import planfile
from harness.base.data import DOCUMENT
from harness.load.population.due import due_within
from harness.model.judgement import Judgement
from harness.model.message import Message, english
from harness.model.parts import listed
from harness.model.stack import Rung
from harness.model.verdict import Verdict
from harness.rehearsals.chaos import catalogue
from harness.rehearsals.deploy import plan as deploys
from harness.rehearsals.infrastructure.judge import judged as infrastructure
from harness.signoff.states import standings
from harness.signoff.types import Standing, State, Stored
from scenarios.claims import REGISTER
from tests.signoff.made import ASKED, judgement, stored
