import lightgbm as lgb
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
X_train, X_val, y_train, y_val = train_test_split(X_train, y_train, test_size=0.2, random_state=0)

clf = lgb.LGBMClassifier(n_estimators=12, num_leaves=15, learning_rate=0.1, random_state=0, verbose=-1)
clf.fit(
    X_train,
    y_train,
    eval_set=[(X_val, y_val)],
    eval_metric="multi_logloss",
    callbacks=[lgb.early_stopping(stopping_rounds=20), lgb.log_evaluation(period=5)],
)
print("Test accuracy: {0:0.4f}".format(clf.score(X_test, y_test)))
