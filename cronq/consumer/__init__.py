"""The process that runs messages: the loop, its limits, one attempt, and the drain inside web processes."""
