"""Observes Keras and scikit-learn, and has Keras' training go on from where an earlier trial's ended.

Runs beside nn.py in the training's environment: nothing but the standard library, and for the frameworks themselves their
NumPy; Python from 3.10 on. Nothing that goes wrong here ends a training: it is recorded as a fault.

metrics.jsonl has a line of JSON for each event, added in one write. ``model`` numbers the script's Keras models from 1 in
the order in which they are first used, ``call`` numbers the fits of that model from 1, ``epoch`` is Keras' epoch + 1,
``epochs`` is what the call asked for, ``time`` is in seconds since 1970:

    {"event": "keras", "started": 1.5, "time": 5.5}       Keras is there; when Python was started
    {"event": "fit", "model": 1, "call": 1, "epochs": 30, "continued": 20, "why": "", "history": {}, "time": 7.1}
    {"event": "epoch", "model": 1, "call": 1, "epoch": 21, "epochs": 30, "metrics": {"accuracy": 0.4}, "seconds": 0.4,
     "samples": 1294, "weights": "9c1d…"}
    {"event": "stopped", "model": 1, "call": 1, "epoch": 24, "metric": "val_accuracy", "value": 0.81, "stop_at": 0.8}
    {"event": "validation", "model": 1, "call": 1, ROWS}  what the fit's val_accuracy was measured on
    {"event": "fitted", "model": 1, "call": 1, "epoch": 24, "time": 9.4}
    {"event": "test_set", "id": "1f0c…", "rows": 360, "sketch": "…"}
    {"event": "evaluate", "model": 1, "metrics": {"loss": 0.6, "accuracy": 0.83}, "kinds": {"accuracy": "BinaryAccuracy"}, ROWS}
    {"event": "predict", "model": 1, ROWS}                or "of" and "dummy", as in score
    {"event": "score", "of": "MLPClassifier", "dummy": false, "measures": "accuracy", "metrics": {"accuracy": 0.83}, ROWS}
    {"event": "called", "time": 9.6}
    {"event": "fault", "message": "…"}        the recorder failed, the training went on; each message once

ROWS is what is known of the rows that were measured, and of the network:

    "samples": 360, "test_set": "1f0c…", "labels": {"": {"kind": "classes", "answers": 2, "answer": "no", "chance": 0.94}},
    "weights": "9c1d…", "trained": true, "validated": false, "time": 9.5,
    "seen": {"rows": 360, "share": 0.0, "expected": 0.0, "refused": false, "checked": true, "why": ""}

``continued`` is the epoch that the fit resumed from, ``history`` what was measured up to there; if it is 0 though there was
a checkpoint, ``why`` says why. ``fitted`` is written when fit ends well; its ``epoch`` is the last one.

``score`` is what the script asked scikit-learn for: ``of`` is the class of the classifier or regressor if it was its score(),
else the name of the function; of a Pipeline or a GridSearchCV it is that of what they hand on to. ``estimator`` numbers the
estimators. ``measures`` is "r2" for a regressor's. What scikit-learn measures while it fits or cross-validates is not recorded,
nor are counts. ``kinds`` are the classes of the metrics that the model was compiled with. ``called`` says that the script
itself called a Keras model on as many rows as a test has.

``test_set`` tells the rows, without their labels, from others, in whatever order they were read; null if they cannot be
seen. Its event has the 1,024 smallest hashes of the rows (base64 of sorted 64-bit little-endian numbers). Without rows,
scikit-learn's is a digest of the labels. ``samples`` is null if it cannot be known without reading the data. ``weights``
tells what the network had learned from what others had, or it at another time. ``trained`` says whether it was fitted in
this training or in one that it resumed; null if that cannot be known. ``labels`` has for each output (the only one has an
empty name) the kind of the labels (``labels.Labels``), and what always giving the most frequent answer would score.
``seen`` says whether the test rows were among the rows that the network was fitted on (``seen.compare``); ``checked`` is
false if not all of those are known, and ``why`` says why. ``validated`` says that a fit validated on some of these rows.

accuracy.json holds the last evaluate that measured an accuracy, unless the script has written that file itself:

    {"accuracy": 0.83, "source": "evaluate", "samples": 360, "test_set": "1f0c…", "metrics": {"loss": 0.6, "accuracy": 0.83}}

JSON has no numbers for what is not finite: those are the strings "NaN", "Infinity" and "-Infinity", as in Protocol Buffers'
JSON; Python's ``float`` reads them.
"""
