"""OpenTelemetry, for projects that use it: its context in the headers of messages, a span around every task."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import context as contexts
from opentelemetry import propagate, trace

from cronq.carry.trace_context import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator


def inject(headers: dict[str, str]) -> None:
    """Add the current context, as the project's propagators write it. What is in `headers` already stays."""
    found: dict[str, str] = {}
    propagate.inject(found)
    for name, text in found.items():
        headers.setdefault(name, text)


@contextmanager
def spanning(task: str, headers: dict[str, str]) -> Iterator[Trace | None]:
    """Continue the trace that the headers name, or begin one, with a span for this attempt; None when nobody does."""
    token = contexts.attach(propagate.extract(headers, contexts.Context()))
    try:
        with trace.get_tracer("cronq").start_as_current_span(task, kind=trace.SpanKind.CONSUMER):
            within: dict[str, str] = {}
            inject(within)
            yield Trace.read(within)
    finally:
        contexts.detach(token)
