"""SEIGAN: cut an object out, paste it in, fill the gap, learned together from boxes (Ostyakov et al., 2018)."""
