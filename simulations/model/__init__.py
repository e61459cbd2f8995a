"""The model: epidemics of ten million nodes as arrays, fitted to what the event worlds find at a thousand."""
