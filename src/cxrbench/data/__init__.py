"""The archive: label files, generated films, decoding, the store, augmentation."""
