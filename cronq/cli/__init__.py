"""The command line: one file per command. `entry` is where `cronq` starts."""
