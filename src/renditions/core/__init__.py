"""The reconciling core: it finds differences from the declared state and closes them."""
