"""What travels through the queues and what becomes of it: values, and rules without effects."""
