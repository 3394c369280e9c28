"""One readable file a recipe, from configuration to model folder. Import them by name: `pathloop.learn.RECIPES`."""
