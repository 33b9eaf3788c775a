"""What a transport for everything must do: see `cronq.transports.base.Transport`."""

from __future__ import annotations

from tests.transports.abilities.barriers_contract import BarriersContract
from tests.transports.abilities.controls_contract import ControlsContract
from tests.transports.abilities.queues_contract import QueuesContract
from tests.transports.abilities.search_contract import SearchContract
from tests.transports.abilities.stored_schedules_contract import StoredSchedulesContract
from tests.transports.abilities.upkeep_contract import UpkeepContract


class WholeContract(
    QueuesContract, UpkeepContract, SearchContract, ControlsContract, BarriersContract, StoredSchedulesContract
):
    """Every transport that is a `Transport` keeps it."""
