"""SPADE: whole pictures from labels by spatially-adaptive normalisation (Park et al., CVPR 2019; "GauGAN")."""
