"""How ``models/tiny-sd`` is made: corpus, tokenizer, autoencoder, U-Net, evaluation."""
