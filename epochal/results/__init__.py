"""The results of a trial: its accuracy, the gate's verdict, its learning curve's forecast, and why it failed."""
