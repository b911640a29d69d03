"""SigLIP and SigLIP2 (fixed resolution): two towers, one graph each."""
