"""One short pass a minute: who lives, who is needed, what was left behind. Then it exits."""
