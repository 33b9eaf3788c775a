"""What a message carries from where it is enqueued to where it runs: a user, a language, a request id, a trace."""

from cronq.carry.headers import current_trace, request_id, request_ids, trace, value, variable

__all__ = ["current_trace", "request_id", "request_ids", "trace", "value", "variable"]
