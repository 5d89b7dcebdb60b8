"""The file format, as FORMAT.md defines it: headers, chunks, what stands beside them. Loads no torch."""
