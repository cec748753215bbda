# A multi-layer perceptron that learns to read handwritten digits (8x8 pixels).
import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

# ------------------------------------------------------------------
# Hyperparameters
epochs = 20
batch_size = 64
learning_rate = 0.01
hidden_units = 64
seed = 1
# ------------------------------------------------------------------

digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(
    digits.data / 16, digits.target, test_size=0.2, random_state=seed, stratify=digits.target
)

model = MLPClassifier(
    hidden_layer_sizes=(hidden_units,),
    solver="sgd",
    batch_size=batch_size,
    learning_rate_init=learning_rate,
    max_iter=epochs,
    random_state=seed,
    verbose=True,
)
model.fit(x_train, y_train)

accuracy = model.score(x_test, y_test)
print(f"Test accuracy: {accuracy:.4f}")

joblib.dump(model, "model.joblib")
