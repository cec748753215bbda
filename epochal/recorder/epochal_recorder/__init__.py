"""Observes Keras and scikit-learn, and has Keras' training go on from where an earlier trial's ended.

Runs beside nn.py in the training's environment: nothing but the standard library, and for Keras itself and its NumPy;
Python from 3.10 on. Nothing that goes wrong here ends a training: it is told as a fault.

metrics.jsonl has a line of JSON for each event, added in one write. ``model`` numbers the script's models from 1 in the
order in which they are first used, ``call`` numbers the fits of that model from 1, ``epoch`` is Keras' epoch + 1,
``epochs`` is what the call asked for, ``time`` is in seconds since 1970:

    {"event": "keras", "started": 1.5, "time": 5.5}       Keras is there; when Python was started
    {"event": "fit", "model": 1, "call": 1, "epochs": 30, "continued": 20, "why": "", "history": {}, "time": 7.1}
    {"event": "epoch", "model": 1, "call": 1, "epoch": 21, "epochs": 30, "metrics": {"accuracy": 0.4}, "seconds": 0.4,
     "samples": 1294}
    {"event": "stopped", "model": 1, "call": 1, "epoch": 24, "metric": "val_accuracy", "value": 0.81, "stop_at": 0.8}
    {"event": "fitted", "model": 1, "call": 1, "epoch": 24, "time": 9.4}
    {"event": "evaluate", "model": 1, "samples": 360, "test_set": "1f0c…", "validated": false,
     "metrics": {"loss": 0.6, "accuracy": 0.83}}
    {"event": "score", "of": "MLPClassifier", "samples": 360, "test_set": "9a3e…", "metrics": {"accuracy": 0.83}}
    {"event": "fault", "message": "…"}        the recorder failed, the training went on; each message once

``continued`` is the epoch that the fit goes on from, ``history`` what was measured up to there; where it is 0 though
there was a checkpoint, ``why`` says why. ``fitted`` comes when fit ends well; its ``epoch`` is the last one.

``score`` is what the script asked scikit-learn for: ``of`` is the classifier's class if it was its score(), else
"accuracy_score"; of a Pipeline or a GridSearchCV it is what they hand on to. What scikit-learn measures while it fits or
cross-validates is none, nor is what is no accuracy: a regressor's R², a count.

accuracy.json holds the last evaluate that measured an accuracy, unless the script has written that file itself:

    {"accuracy": 0.83, "source": "evaluate", "samples": 360, "test_set": "1f0c…", "metrics": {"loss": 0.6, "accuracy": 0.83}}

``samples`` is null where it cannot be known without reading the data. ``test_set`` is a digest of what was measured on
(scikit-learn: of its labels), null of what can only be read in order; ``validated`` says that an earlier fit had the same
as its validation data. JSON has no numbers for what is not finite: those
are the strings "NaN", "Infinity" and "-Infinity", as in Protocol Buffers' JSON; Python's ``float`` reads them.
"""
