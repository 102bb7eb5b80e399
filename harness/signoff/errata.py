"""``errata.md``: every erratum of the register with its evidence and, where one can be given, the smallest patch of the
document. Pure.

An erratum is shown by a judgement of a run that counts and ended as it should. Of any other it is said which command
would show it, or that it was found by reading alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

import msgspec

from harness.model.claim import Claim, Erratum
from harness.report import words
from harness.report.language import Language
from harness.report.markdown import bullets, head, plain
from harness.signoff.links import age, href, short
from harness.signoff.types import Evidence, Signoff, Standing, State


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of errata beside the register, by their ids: the ``patches`` of the document as lines that stay,
    go and come, and the commands that can show them (``shown_by``)."""

    patches: Mapping[str, str] = {}
    shown_by: Mapping[str, Sequence[str]] = {}


def shown(erratum: str, standing: Standing) -> tuple[Evidence, ...]:
    """The judgements that showed the erratum, of all that bear on its claim."""
    return tuple(
        each for each in standing.evidence if each.state is State.ERRATUM_SHOWN and each.judgement.erratum == erratum
    )


def errata(document: Signoff, register: Mapping[str, Claim], known: Known, say: Language, other: str) -> str:
    """The text in one language; ``other`` is the file of the same in the other."""
    return "\n\n".join(_Text(document, register, known, say).parts(other)) + "\n"


class _Text:
    """The text of one page in one language."""

    def __init__(self, document: Signoff, register: Mapping[str, Claim], known: Known, say: Language) -> None:
        self.document, self.register, self.known, self.say = document, register, known, say
        self.runs = {run.folder: run for run in document.runs}
        self.standings = {each.claim: each for each in document.standings}

    def parts(self, other: str) -> Iterator[str]:
        """Every paragraph: what runs showed first, then what a command would show, then what was found by reading."""
        say = self.say
        seen, unseen, read = self._sorted()
        yield head(say("Errata of the design document"), 1)
        yield f"[{'English' if say.code == 'ja' else '日本語'}]({other})"
        yield bullets(self._facts(len(seen), len(unseen), len(read)))
        sections = (
            (say("Shown by runs"), seen),
            (say("Not shown by a run yet"), unseen),
            (say("Found by reading the document"), read),
        )
        for title, found in sections:
            yield head(title, 2)
            if not found:
                yield say("None.")
            for claim, erratum in found:
                yield from self._erratum(claim, erratum)

    def _sorted(self) -> tuple[list[tuple[Claim, Erratum]], ...]:
        """Those shown, those that a command would show, and those that none would, in the document's order."""
        found: tuple[list[tuple[Claim, Erratum]], ...] = ([], [], [])
        for claim in self.register.values():
            for erratum in claim.errata:
                place = 0 if self._shown(claim, erratum) else 1 if erratum.id in self.known.shown_by else 2
                found[place].append((claim, erratum))
        return found

    def _shown(self, claim: Claim, erratum: Erratum) -> tuple[Evidence, ...]:
        return shown(erratum.id, self.standings[claim.id]) if claim.id in self.standings else ()

    def _facts(self, seen: int, unseen: int, read: int) -> Iterator[str]:
        say, asked = self.say, self.document.asked
        digests = say.listed(map(short, asked.digests)) or say("program or image unknown: {ask}", ask=say(words.ASK))
        yield say("target {target} ({digests})", target=say(asked.target), digests=digests)
        yield say("made {moment}", moment=say.moment(asked.now_utc))
        yield say(
            "{seen} errata were shown by runs that count, {unseen} were not shown yet, {read} were found by reading",
            seen=seen,
            unseen=unseen,
            read=read,
        )

    def _erratum(self, claim: Claim, erratum: Erratum) -> Iterator[str]:
        say, evidence = self.say, self._shown(claim, erratum)
        yield f"### `{erratum.id}`"
        yield f"> {plain(claim.quotation)} ({plain(claim.place)}, `{claim.id}`)"
        yield plain(say(erratum.why))
        if evidence:
            yield "\n".join(f"- {self._evidence(each)}" for each in evidence)
        else:
            yield self._missing(erratum)
        correction = plain(say(erratum.correction))
        yield say("To be written instead: {correction}", correction=correction)
        if patch := self.known.patches.get(erratum.id, ""):
            yield f"```diff\n{patch}\n```"

    def _evidence(self, evidence: Evidence) -> str:
        """The run, the verdict, the figure and what was seen."""
        say, judgement, run = self.say, evidence.judgement, self.runs[evidence.folder]
        part = f"{run.plan}: {judgement.part}" if judgement.part else run.plan
        where = plain(say.listed([part, run.rung, say.message(age(run.age_s))]))
        figure = words.measured(judgement, say)
        verdict = say(words.verdict_id(judgement)) + ("" if figure == "–" else f" ({figure})")
        seen = say.told(judgement.seen or judgement.told, "")
        anchor = quote(words.anchor(judgement))
        return f"[{where}]({href(run)}#{anchor}): {plain(verdict)}; {plain(seen)}"

    def _missing(self, erratum: Erratum) -> str:
        """Which command would show it."""
        commands = self.known.shown_by.get(erratum.id, ())
        if not commands:
            return self.say("No rehearsal shows it: it was found by reading.")
        lines = self.say.listed(f"`python3 -m harness {name}`" for name in commands)
        return self.say("Not shown by a run yet; {commands} would show it.", commands=lines)
