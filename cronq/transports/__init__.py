"""Places that keep queues. One small contract (`base`), one file or package per place; none knows another."""
