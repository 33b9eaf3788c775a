"""Work after the response: `application = CronqMiddleware(application, app)`."""

from wsgi_hooks.middleware import CronqMiddleware

__all__ = ["CronqMiddleware"]
