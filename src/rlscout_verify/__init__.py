"""Checks rlscout certificates: proofs that the score of a position lies between two bounds.

This is the checker to *read*: plain Python with nothing but the standard library, which imports nothing of rlscout and
has rules of its own (`games`). `docs/certificate.md` states the format and the theorem that a valid file proves.
`certificate` reads a file, `check` walks the proof, `cli` reports. `rlscout-verify` is the fast native twin.
"""
