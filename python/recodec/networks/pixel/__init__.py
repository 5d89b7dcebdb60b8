"""The recurrent codec of Toderici et al. 2017 and what it grew into: residuals in pixels or their block DCT."""
