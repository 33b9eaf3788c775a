"""What a project declares: tasks, how their calls are written, under which terms, and what follows a failure."""
