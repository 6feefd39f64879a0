"""The console: where family doctors and experts see episodes and decide."""
