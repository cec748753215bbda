# The classic convolutional model for CIFAR-10: 32x32 pixels, ten classes, 50,000 images to train with.
import keras
from keras import layers

# ------------------------------------------------------------------
# Hyperparameters
epochs = 20
batch_size = 32
learning_rate = 1e-4
weight_decay = 1e-6
dropout = 0.25
dense_dropout = 0.5
dense_units = 512
seed = 1
# ------------------------------------------------------------------

keras.utils.set_random_seed(seed)

# Data
num_classes = 10
(x_train, y_train), (x_test, y_test) = keras.datasets.cifar10.load_data()
x_train = x_train.astype("float32") / 255
x_test = x_test.astype("float32") / 255
y_train = keras.utils.to_categorical(y_train, num_classes)
y_test = keras.utils.to_categorical(y_test, num_classes)

# Model: augmentation, two blocks of convolutions, and a classifier
model = keras.Sequential(
    [
        keras.Input(shape=(32, 32, 3)),
        layers.RandomTranslation(0.1, 0.1),
        layers.RandomFlip("horizontal"),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(dropout),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(dropout),
        layers.Flatten(),
        layers.Dense(dense_units, activation="relu"),
        layers.Dropout(dense_dropout),
        layers.Dense(num_classes, activation="softmax"),
    ]
)
model.compile(
    optimizer=keras.optimizers.RMSprop(learning_rate, weight_decay=weight_decay),
    loss="categorical_crossentropy",
    metrics=["accuracy"],
)
model.summary()

# Training
model.fit(x_train, y_train, batch_size=batch_size, epochs=epochs, validation_data=(x_test, y_test), verbose=2)

# Test
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"Test loss: {loss:.4f}")
print(f"Test accuracy: {accuracy:.4f}")

model.save("model.keras")
