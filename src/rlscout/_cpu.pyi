"""Which processor variants this machine can run."""

def supported_variants() -> list[str]:
    """Names of the variants this processor can run, best first: of "v4", "v3", "v2", or "generic"."""
