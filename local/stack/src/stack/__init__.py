"""The command heliograph: the whole product on one machine."""
