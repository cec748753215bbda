"""In the training process, observe ML libraries and how the script ends, and resume Keras fits.

The recorder runs alongside nn.py in the training environment. It uses only the standard library and, once a framework
is imported, that framework and NumPy. It supports Python 3.10 and later. An error in the recorder never ends training;
it is recorded as a fault. The recorder ends the script only if a fit can neither resume nor train from the beginning,
or if several spawned processes have failed to import the script.

metrics.jsonl has one line of JSON per event, appended in a single write. ``model`` numbers the script's Keras models
from 1 in the order of their first use, ``call`` numbers the fits of that model from 1, ``epoch`` is Keras' epoch + 1,
``epochs`` is the number of epochs that the call asked for, and ``time`` is in seconds since 1970:

    {"event": "keras", "started": 1.5, "time": 5.5}       Keras was imported; "started": when Python was started
    {"event": "fit", "model": 1, "call": 1, "epochs": 30, "continued": 20, "why": "", "history": {}, "time": 7.1}
    {"event": "epoch", "model": 1, "call": 1, "epoch": 21, "epochs": 30, "metrics": {"accuracy": 0.4}, "seconds": 0.4,
     "samples": 1294, "weights": "9c1d…"}
    {"event": "diverged", "model": 1, "call": 1, "epoch": 3, "epochs": 30, "nonfinite": {"x": 12, "y": 0},
     "rows": 1347, "columns": [0, 32], "nan": true,
     "optimizer": "SGD", "learning_rate": 0.5, "default_rate": 0.01, "clipped": false, "own_code": false,
     "largest_input": 255.0, "scales": false}
    {"event": "start_over", "model": 1, "call": 1, "why": "…"}    the script ends; the trial has to be run again
    {"event": "stopped", "model": 1, "call": 1, "epoch": 24, "metric": "val_accuracy", "value": 0.81, "stop_at": 0.8}
    {"event": "validation", "model": 1, "call": 1, ROWS}  the rows that the fit's val_accuracy was measured on
    {"event": "fitted", "model": 1, "call": 1, "epoch": 24, "time": 9.4}
    {"event": "test_set", "id": "1f0c…", "rows": 360, "sketch": "…"}
    {"event": "evaluate", "model": 1, "metrics": {"loss": 0.6, "accuracy": 0.83},
     "kinds": {"accuracy": "BinaryAccuracy"}, "line": 14, ROWS}
    {"event": "predict", "model": 1, ROWS}                for scikit-learn: "of", "dummy", "estimator", no "model";
                                                          "one_by_one": true if a loop predicted a few rows at a time
    {"event": "score", "measures": "accuracy", "metrics": {"accuracy": 0.83}, "of": "MLPClassifier", "dummy": false,
     "estimator": 1, "line": 14, ROWS}
    {"event": "cross_validation", "measures": "accuracy", "metrics": {"accuracy": 0.83}, "of": "SVC", "dummy": false,
     "estimator": 1, "folds": 5, "candidates": 0, "selected": false, "scores": [0.81, 0.85], ROWS}
    {"event": "iterations", "of": "MLPClassifier", "trained": 57, "limit": 200}  also boosting rounds, "of": "xgboost"
    {"event": "called", "time": 9.6}
    {"event": "failed", "model": 1, "call": 1, "raised": RAISED}  fit failed; no "model" or "call" for scikit-learn
    {"event": "ended", "main": true, "exit": {"status": 1, "frames": [["nn.py", 18, "<module>"]], "handled": RAISED},
     "raised": RAISED, "time": 9.8}
    {"event": "not_spawned"}                  a spawned process failed while importing the script
    {"event": "threads", "running": [["watch", "nn.py", 11]]}
    {"event": "fault", "message": "…"}        the recorder failed, but training continued; written once per message

ROWS are the fields that describe the measured rows and the model:

    "samples": 360, "test_set": "1f0c…",
    "labels": {"": {"kind": "classes", "answers": 2, "answer": "no", "chance": 0.94, "by_element": false}},
    "weights": "9c1d…", "trained": true, "validated": false, "time": 9.5,
    "seen": {"rows": 360, "share": 0.0, "expected": 0.0, "refused": false, "part": false, "learned": null,
             "new_labels": 0.0, "checked": true, "why": ""}

RAISED is a chain of exceptions, latest first; a frame is a file, a line and a function:

[{"name": "KeyError", "message": "'a'", "frames": [["nn.py", 12, "<module>"]], "file": ""}]

``ended`` is written when the main thread of a Python process has ended; ``main`` says whether it is the script's own
process. ``exit`` describes the last call to sys.exit or the like, with the exceptions that were being handled; it is
null if there was no such call. ``raised`` is empty if no exception ended the main thread. ``threads`` lists the
functions of threads that were still running but idle, so the process ended without waiting for them.

``continued`` is the epoch that the fit resumed from, or 0 if it did not resume, and ``history`` holds the metrics of
the epochs up to it. ``why`` says why the fit did not resume from the newest checkpoint, or why it cannot keep
checkpoints; otherwise it is empty. ``fitted`` is written when fit returns without an exception; its ``epoch`` is the
number of the last epoch.

``diverged`` is written for the first epoch after which the model's weights are not all finite. ``nonfinite`` counts the
rows with NaN or infinity in the inputs (x) and in the labels (y), out of all ``rows``. If the inputs are a matrix,
``columns`` lists its columns that contain NaN or infinity; ``nan`` says whether any value is NaN. ``default_rate`` is
the optimizer's default learning rate, ``clipped`` says whether the optimizer clips the gradients, and ``own_code``
whether the script defines its own layers, loss or training steps. ``largest_input`` is the largest absolute value of
the floating-point inputs that are finite, and ``scales`` says whether a layer scales them, as Rescaling does.

``score`` is a measurement that the script requested from scikit-learn. ``of`` is the class of the estimator if the
script called its score(), otherwise the name of the function, such as accuracy_score or classification_report. A
Pipeline or a GridSearchCV delegates the call, so ``of`` is the estimator or function that it delegates to. ``dummy`` is
true for a DummyClassifier. ``estimator`` numbers the estimators from 1. ``measures`` is "r2" for regressors. Scores
that scikit-learn computes while it fits or cross-validates are not recorded, nor are counts (``normalize=False``).
``cross_validation`` is the mean score from cross_val_score or cross_validate, or the best_score_ of a search such as
GridSearchCV; ``candidates`` is 0 except for a search. ``"training": true`` is added if the score was measured on
training rows, as in learning_curve. ``predict`` also stands for a call to cross_val_predict. If a scikit-learn
estimator, such as keras.wrappers.SKLearnClassifier, calls a Keras model's predict while it predicts or is scored,
``"outer"`` (the ``weights`` of that estimator) and ``"outer_call"`` (an identifier of the call to it) are added,
because such a prediction is part of the estimator's. ``selected`` says whether the features given to a cross-validation
had been selected using the labels of its rows. ``kinds`` gives the class of each metric that the model was compiled
with, and ``line`` is the line of the script that made the call; ``metrics`` is empty if there were no rows. ``called``
means that the script itself called a Keras model on enough rows for a test; the recorder does not see what such a call
returns.

``test_set`` is a digest of the rows without their labels, regardless of their order. If the rows cannot be seen, it is
null or, in ``score``, a digest of the labels. The ``sketch`` in a ``test_set`` event contains the 1,024 smallest hashes
of the rows (base64 of sorted 64-bit little-endian numbers). ``samples`` is null if the number of rows cannot be known
without reading the data. ``weights`` identifies the state of the model: it differs between models, and changes when a
model is trained further. ``trained`` says whether the model was fitted in this trial or in one that this trial resumed
from, and is null if that is unknown. For each output, keyed by name (empty if there is only one), ``labels`` gives the
kind of its labels (``labels.Labels``) and, as ``chance``, the accuracy of always predicting the most frequent label.
``seen`` says whether the test rows were among the rows that the model was fitted on (``fitted_rows.compare``);
``part`` is true if all test rows are training rows, rather than just equal to some (``same_rows``); ``learned`` names
the class and line of another fit, such as a feature selector's, if only that one used the test rows (otherwise null);
``new_labels`` is the share of the test rows whose labels are not among the training labels, if each row has one label;
``checked`` is false if the test rows could not be checked completely, and ``why`` gives the reason; ``"redrawn": true``
is added if the test set is drawn anew each time it is read, from rows that the model may have been fitted on.
``validated`` is true if a fit used at least 5% of these rows for validation.

accuracy.json holds the result of the last call to evaluate that measured an accuracy, unless the script itself has
written that file:

    {"accuracy": 0.83, "source": "evaluate", "samples": 360, "test_set": "1f0c…",
     "metrics": {"loss": 0.6, "accuracy": 0.83}}

JSON cannot represent NaN or infinity: they are written as the strings "NaN", "Infinity" and "-Infinity", as in Protocol
Buffers' JSON format. Python's ``float`` can parse them.
"""
