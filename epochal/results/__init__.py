"""The results of a training: its accuracy, the gate's verdict, its learning curve's forecast, and why it failed."""
