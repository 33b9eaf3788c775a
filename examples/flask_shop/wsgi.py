"""What the web server loads: gunicorn, Passenger, mod_wsgi and uWSGI all look for `application`."""

from shop.tasks import app
from shop.web import flask_app

from wsgi_hooks import CronqMiddleware

application = CronqMiddleware(flask_app, app)
