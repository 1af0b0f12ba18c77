"""pix2pixHD: high-resolution pictures from label and instance maps, a style per object (Wang et al., CVPR 2018)."""
