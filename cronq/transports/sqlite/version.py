"""What marks a file as cronq's, readable without importing anything."""

APPLICATION_ID = 0x63726E71  # "crnq": PRAGMA application_id of every cronq database
VERSION = 8  # PRAGMA user_version of the current schema; one more with every migration
