"""The promises as tests, shipped so that authors of plug-ins can run them on theirs."""
