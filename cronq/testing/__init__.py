"""A box for tests: what is enqueued stays in it until the test says so. `app.testing()` opens one."""
