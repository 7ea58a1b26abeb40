"""`postroad demo`: real mails through the whole pipeline, told as a story."""
