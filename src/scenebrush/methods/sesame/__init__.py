"""SESAME: semantic editing of scenes by adding, manipulating or erasing objects (Ntavelis et al., ECCV 2020)."""
