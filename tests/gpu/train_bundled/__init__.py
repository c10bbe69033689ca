"""The bundled model, larger and trained for longer, in a time given in seconds, on a GPU.

Pictures and a teacher's soft targets travel in loads of at most 55 MiB: the photographs' own JPEG bytes, and
of each picture the teacher's 16 largest shares of ImageNet's 1,000 classes. Where the photographs are::

    python -m tests.gpu.train_bundled pack PHOTOGRAPHS CLASSES.tsv SOFT_TARGETS loads

``PHOTOGRAPHS`` holds ``photos24/{train,val}/CLASS/*.JPEG``, and may hold ``others148/{train,val}/ID/*.JPEG``,
with the ids of WordNet. ``CLASSES.tsv`` has a head, and in each line an id and the class of photos24 that it
is part of, or nothing. ``SOFT_TARGETS`` holds ``soft.txt``, one path a line, and ``soft/*.npy``, each 2,000
rows of 1,000 shares of those paths in order; it need not reach the end. The first load holds all of photos24,
which is enough to train with; the others are to pretrain on. On the machine with the GPU::

    python3 -m tests.gpu.train_bundled train loads out --stage pretrain --seconds 150
    python3 -m tests.gpu.train_bundled train loads out --seconds 150 --init out/pretrain.safetensors

It writes ``out/STAGE.safetensors`` again and again while it trains, and ``out/STAGE.json`` with what came out,
beside the accuracy of the bundled model on the same validation photographs. No photograph is ever committed.
"""
