"""SemIA: learns one photo and its label map, then renders it in any layout (Li et al., ACM MM 2020)."""
