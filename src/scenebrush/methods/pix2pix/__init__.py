"""pix2pix: pictures from labels with a U-Net and a patch discriminator (Isola et al., CVPR 2017); the baseline."""
