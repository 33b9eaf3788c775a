"""The only place where things are wired together."""

from cronq.app.application import App

__all__ = ["App"]
