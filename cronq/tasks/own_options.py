"""What one call says of its own running: its retries, its timeout, how long its result is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.errors import BodyError
from cronq.messages.own_headers import RESULT_TTL_S, RETRY, TIMEOUT_S, own_headers
from cronq.namedtuple import NamedTuple
from cronq.tasks.module_name import full_name
from cronq.tasks.retry import Retry

if TYPE_CHECKING:
    from cronq.tasks.options import Delivery
    from cronq.tasks.retry import ErrorClass


class OwnOptions(NamedTuple):
    """What is None is as the task's options say. Seconds."""

    retry: Retry | None = None
    timeout_s: float | None = None
    result_ttl_s: float | None = None


NONE_OWN = OwnOptions()

_CLASSES = ("retry_on", "give_up_on")  # of a Retry: tuples of exception classes, or of their names


def as_headers(delivery: Delivery) -> dict[str, str]:
    """Return what a delivery says of this, as the message carries it."""
    said = {}
    if delivery.retry is not None:
        said[RETRY] = _written(delivery.retry)
    if delivery.timeout_s is not None:
        said[TIMEOUT_S] = repr(float(delivery.timeout_s))
    if delivery.result_ttl_s is not None:
        said[RESULT_TTL_S] = repr(float(delivery.result_ttl_s))
    return said


def own_options(headers: bytes) -> OwnOptions:
    """Return what stored headers say of this. Raises BodyError when somebody else has written them."""
    try:
        said = own_headers(headers)
        if not said:
            return NONE_OWN
        return OwnOptions(
            _read(said[RETRY]) if RETRY in said else None,
            float(said[TIMEOUT_S]) if TIMEOUT_S in said else None,
            float(said[RESULT_TTL_S]) if RESULT_TTL_S in said else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BodyError(f"its headers {headers[:200]!r} are not what cronq writes: {error}") from None


def _written(retry: Retry) -> str:
    """Return a policy as JSON, exception classes by their names."""
    import json
    from dataclasses import asdict

    said = asdict(retry)
    for name in _CLASSES:
        said[name] = [_name_of(one) for one in said[name]]
    return json.dumps(said)


def _name_of(one: ErrorClass) -> str:
    """Return a name that no other class has: many a library has a ConnectionError of its own."""
    return one if isinstance(one, str) else full_name(one)


def _read(text: str) -> Retry:
    import json

    said: dict[str, Any] = json.loads(text)
    classes: dict[str, Any] = {name: tuple(said.pop(name)) for name in _CLASSES}
    return Retry(**said, **classes)
