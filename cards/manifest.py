"""The manifest: which issuers a network has and how many must agree, signed by them. A policy file may only tighten it.

Version N+1 is signed by as many issuers as version N asks for, of N's, and by as many as N+1 asks for, of its own:
neither those who leave nor those who come can change it alone.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from . import fields
from .fields import Field
from .findings import CardError
from .keys import IssuerId
from .signed import Signed
from .statements import MANIFEST

MAX_MANIFEST = 4_096  # bytes; sixteen issuers of whom sixteen sign make about 2,200
MAX_ISSUERS = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Manifest(Signed):
    """One version of the issuers of a network. `by` names who signed this version."""

    what: ClassVar = "manifest"
    label: ClassVar = "MANIFEST"
    context: ClassVar = MANIFEST
    invalid: ClassVar = "manifest-invalid"
    limit: ClassVar = MAX_MANIFEST
    table: ClassVar[Mapping[str, Field]] = {
        "ver": Field(fields.counter),
        "thr": Field(fields.counter),
        "iss": Field(fields.array(fields.key(IssuerId), MAX_ISSUERS, ordered=True)),
        "by": Field(fields.array(fields.key(IssuerId), 2 * MAX_ISSUERS, ordered=True)),
    }

    @property
    def signers(self) -> tuple[bytes, ...]:
        return tuple(self.values["by"])

    def check_values(self) -> None:
        if not self.signed_by(self.issuers, self.threshold):
            own = len(self.issuers & set(self.signers))
            raise CardError("manifest-invalid", f"{own} of its own issuers sign it, {self.threshold} needed")

    @property
    def version(self) -> int:
        return int(self.values["ver"])

    @property
    def threshold(self) -> int:
        """How many issuers must grant a card, and sign the next manifest."""
        return int(self.values["thr"])

    @cached_property
    def issuers(self) -> Set[bytes]:
        return frozenset(self.values["iss"])


def reached(manifests: Iterable[Manifest], issuers: Set[bytes], threshold: int) -> tuple[Manifest, ...]:
    """The versions that can be reached from these issuers, step by step; of two equal ones the lower digest.

    The choice depends on what there is alone, never on the order in which it came. Signatures must have been verified.
    """
    steps: list[Manifest] = []
    for manifest in sorted(manifests, key=lambda one: (one.version, one.digest)):
        if (not steps or manifest.version > steps[-1].version) and manifest.signed_by(issuers, threshold):
            steps.append(manifest)
            issuers, threshold = manifest.issuers, manifest.threshold
    return tuple(steps)
