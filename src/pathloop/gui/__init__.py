"""The napari plugin. Nothing is imported here: napari finds the plugin's parts through ``napari.yaml``."""

__all__: list[str] = []
