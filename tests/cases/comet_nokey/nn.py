from comet_ml import Experiment

experiment = Experiment(project_name="digits")

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
model = MLPClassifier((32,), max_iter=15, random_state=0)
model.fit(x_train, y_train)
accuracy = model.score(x_test, y_test)
experiment.log_metric("accuracy", accuracy)
print(f"Test accuracy: {accuracy:.4f}")
