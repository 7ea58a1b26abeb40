"""What is made from the catalogue of events and topics: JSON Schema, AsyncAPI, samples, the page for readers."""
