"""What transports can do, in parts that one has whole or not at all: who needs a part takes that as its type."""
