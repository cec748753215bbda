import numpy as np
import xgboost as xgb
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, classification_report
from sklearn.model_selection import train_test_split

data = load_breast_cancer()
X_train, X_test, y_train, y_test = train_test_split(data.data, data.target, test_size=0.25, random_state=7)
X_train, X_valid, y_train, y_valid = train_test_split(X_train, y_train, test_size=0.2, random_state=7)

dtrain = xgb.DMatrix(X_train, label=y_train, feature_names=list(data.feature_names))
dvalid = xgb.DMatrix(X_valid, label=y_valid, feature_names=list(data.feature_names))
dtest = xgb.DMatrix(X_test, label=y_test, feature_names=list(data.feature_names))

params = {
    "objective": "binary:logistic",
    "eval_metric": ["logloss", "error"],
    "max_depth": 3,
    "eta": 0.1,
    "seed": 7,
}
num_boost_round = 8
evals_result = {}
bst = xgb.train(
    params,
    dtrain,
    num_boost_round=num_boost_round,
    evals=[(dtrain, "train"), (dvalid, "eval")],
    early_stopping_rounds=20,
    evals_result=evals_result,
    verbose_eval=5,
)

preds = bst.predict(dtest)
labels = np.rint(preds).astype(int)
print(classification_report(y_test, labels))
print("Test accuracy:", accuracy_score(y_test, labels))

