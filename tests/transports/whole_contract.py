"""What a transport for everything must do: see `cronq.transports.base.Transport`."""

from __future__ import annotations

from tests.transports.abilities.blocking_contract import BlockingContract
from tests.transports.abilities.queues_contract import QueuesContract
from tests.transports.abilities.search_contract import SearchContract
from tests.transports.abilities.steering_contract import SteeringContract
from tests.transports.abilities.stored_schedules_contract import StoredSchedulesContract
from tests.transports.abilities.upkeep_contract import UpkeepContract


class WholeContract(
    QueuesContract, UpkeepContract, SearchContract, SteeringContract, BlockingContract, StoredSchedulesContract
):
    """Every transport that is a `Transport` keeps it."""
