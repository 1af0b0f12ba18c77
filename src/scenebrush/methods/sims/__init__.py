"""Semi-parametric image synthesis (Qi et al., CVPR 2018): pictures made of real segments."""
