"""How ``models/tiny-sd`` is made from nothing: corpus, tokenizer, autoencoder, U-Net, evaluation."""
