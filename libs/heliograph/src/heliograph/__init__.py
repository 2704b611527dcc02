"""What the services of Heliograph share: contracts, settings, hub, blob, resilience, runtime, telemetry."""
