"""The results of a trial: its accuracy, the gate's verdict, a forecast of its learning curve, or the reason it failed."""
