"""Train a model to read handwritten digits, with hyperparameters that do not reach the threshold in epochal.toml."""

import keras
from network import images, network

epochs = 18
batch_size = 128
learning_rate = 0.002
filters = 8
conv_blocks = 1
dense_units = 32
dropout = 0.3
seed = 1

keras.utils.set_random_seed(seed)
training, validation, test = images()
model = network(learning_rate, filters, conv_blocks, dense_units, dropout)
model.fit(*training, batch_size=batch_size, epochs=epochs, validation_data=validation, verbose=0)
print(f"Test accuracy: {model.evaluate(*test, verbose=0)[1]:.4f}")
model.save("model.keras")
