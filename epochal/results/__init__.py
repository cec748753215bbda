"""The results of a training: accuracy, the gate's verdict, forecast of the learning curve, cause of a failure."""
