"""Bridges to what others wrote. Each file needs its own package, which an extra installs."""
