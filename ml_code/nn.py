# A small convolutional model that learns to read handwritten digits (8x8 pixels).
from pathlib import Path

import keras
import pandas as pd
from keras import layers

# ------------------------------------------------------------------
# Hyperparameters
epochs = 20
batch_size = 64
learning_rate = 0.0047
conv_blocks = 2
filters = 16
dense_units = 32
seed = 42
# ------------------------------------------------------------------

keras.utils.set_random_seed(seed)

# Data: 64 pixels from 0 to 16 in each row, then the digit. The last fifth of the shuffled rows is kept for the test.
digits = pd.read_csv(Path(__file__).parent / "digits.csv.gz", header=None)
digits = digits.sample(frac=1, random_state=0)
x = digits.iloc[:, :64].to_numpy("float32").reshape(-1, 8, 8, 1) / 16
y = digits.iloc[:, 64].to_numpy()
test_samples = len(x) // 5
x_train, x_test = x[:-test_samples], x[-test_samples:]
y_train, y_test = y[:-test_samples], y[-test_samples:]

# Model
model = keras.Sequential([keras.Input(shape=(8, 8, 1))])
for _ in range(conv_blocks):
    model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
model.add(layers.Flatten())
model.add(layers.Dense(dense_units, activation="relu"))
model.add(layers.Dense(10, activation="softmax"))
model.compile(
    optimizer=keras.optimizers.SGD(learning_rate),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.summary()

# Training
model.fit(x_train, y_train, batch_size=batch_size, epochs=epochs, validation_split=0.1, verbose=2)

# Test
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"Test loss: {loss:.4f}")
print(f"Test accuracy: {accuracy:.4f}")

model.save("model.keras")
