"""The border: pictures and files on their way in and out, as Pillow, NumPy, torch and the file system have them."""
