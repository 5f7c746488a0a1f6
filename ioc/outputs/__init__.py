"""From a result of the model to what clients see: the bank of all PVs, readings, views, reference orbit."""
