"""What vouches for a component, by what it was compared with."""

from crossfade.core.comparison import Reference
from crossfade.core.quality import Quality, assess
from crossfade.core.tally import Agreement, Tally
from crossfade.core.threshold import Window
from crossfade.web.proof import Vouched, vouched


def quality(component: str, **compared: Agreement) -> Quality:
    tally = Tally(component)
    tally.compared.update(compared)
    return assess(tally, Window(0, 1), now=1)


def test_each_component_is_vouched_for_by_its_own_reference() -> None:
    assert vouched([
        quality("businessMetrics", recount=Agreement(211, 212)),
        quality("systemMetrics", second_reader=Agreement(3, 3)),
        quality("orders", legacy=Agreement(8, 9)), quality("infrastructureMetrics"),
    ]) == {
        "businessMetrics": Vouched(Reference.RECOUNT, 211, 212),
        "systemMetrics": Vouched(Reference.SECOND_READER, 3, 3), "orders": Vouched(Reference.LEGACY, 8, 9),
    }
