"""Stages on Faust tables: what Faust needs to be told, changed in, and watched for, so that it loses nothing."""
