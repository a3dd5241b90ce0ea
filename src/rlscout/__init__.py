"""Learn a board game by self-play, then solve it, with a proof others can check."""

__version__ = "0.1.0"
