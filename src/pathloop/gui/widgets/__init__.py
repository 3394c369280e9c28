"""Qt widgets: they show what presenters decide and tell them what the user did."""

__all__: list[str] = []
