"""What vouches for a component's figures: a recount, a second reader, a legacy system, or nothing. Pure."""

from collections.abc import Iterable

from msgspec import Struct

from crossfade.core.comparison import Reference
from crossfade.core.ledger import FED_BY_EVENTS
from crossfade.core.quality import Quality


class Vouched(Struct, frozen=True):
    """How often the figures were compared with their reference, and how often they agreed."""

    reference: Reference
    agreeing: int
    compared: int


def vouched(qualities: Iterable[Quality]) -> dict[str, Vouched]:
    """By component; one that nothing was compared with is absent."""
    found = {}
    for quality in qualities:
        proof, reference = quality.accuracy_proof, Reference.SECOND_READER
        if proof is not None and quality.component in FED_BY_EVENTS:
            reference = Reference.RECOUNT
        elif proof is None:
            proof, reference = quality.consistency_proof, Reference.LEGACY
        if proof is not None:
            found[quality.component] = Vouched(reference, proof.agreeing, proof.compared)
    return found
