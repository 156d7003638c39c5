"""Where every number comes from and where it is kept: catalogue, readers, sounding archive, cubes and geography."""
