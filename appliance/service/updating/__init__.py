"""Updates of the image: carries out what the sandboxed service may only order, and judges a root on trial."""
