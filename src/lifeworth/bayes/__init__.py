"""The only room that imports PyMC, PyTensor, nutpie and ArviZ."""
