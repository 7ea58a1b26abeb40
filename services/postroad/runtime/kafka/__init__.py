"""The workers of a cluster on plain aiokafka: stages with state, senders, tables, topics."""
