"""Network modules, each built from the layer facts of a published model."""
